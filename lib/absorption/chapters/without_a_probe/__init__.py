"""Chapter 11, without a probe: scores of latent pairs that use the SAE alone, on planted truth and beside labels."""

from absorption.chapters.without_a_probe.labelled_pairs import compare_scores, label_pairs
from absorption.chapters.without_a_probe.planted_pairs import (
    first_by_source,
    look_alike_pairs,
    score_table,
    trained_pairs,
)
