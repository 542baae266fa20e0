"""Linear probes for the first letter: the published one, a converged one, and the directions letters are
written along."""

from absorption.probes.fit import one_hot
from absorption.probes.scores import (
    METRICS,
    letter_scores,
    mean_scores,
    prevalence_f1,
    score_layers,
    score_splits,
)
from absorption.probes.words import REFERENCE, probe_words
