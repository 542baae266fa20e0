"""One SAE on the words, measured whole."""

from absorption.one_sae.gate import failing, gate_table, in_words
from absorption.one_sae.layers import departure_depth, layer_effects, layer_shares, probes_by_depth
from absorption.one_sae.study import CONVERGED, FEW_WORDS, UNCONVERGED, study_saes, train_rows
from absorption.one_sae.words import StudyWords, prepare_words, thin
