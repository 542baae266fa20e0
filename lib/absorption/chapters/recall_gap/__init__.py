"""Chapter 3, the recall gap: one latent a letter as a classifier, against the probe, and by L0 and width."""

from absorption.chapters.loading import load_with_companions
from absorption.chapters.recall_gap.gap import against_probe, compare_splits, list_missed, score
from absorption.chapters.recall_gap.levels import at_levels
from absorption.chapters.recall_gap.trends import NO_TREND
from absorption.chapters.recall_gap.when_on import activations
from absorption.chapters.recall_gap.which_latent import by_layer, cosines, same_latent
from absorption.chapters.recall_gap.with_l0 import against_l0, each_letter
