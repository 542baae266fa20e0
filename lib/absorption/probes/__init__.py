"""Linear probes for the first letter: logistic regression and difference in means."""

from absorption.probes.fit import (
    ProbedWords,
    ProbeSet,
    difference_in_means,
    fit_probes,
    one_hot,
    probe_words,
)
from absorption.probes.scores import (
    METRICS,
    letter_scores,
    letter_table,
    mean_scores,
    prevalence_f1,
    score_layers,
)

__all__ = [
    "METRICS",
    "ProbeSet",
    "ProbedWords",
    "difference_in_means",
    "fit_probes",
    "letter_scores",
    "letter_table",
    "mean_scores",
    "one_hot",
    "prevalence_f1",
    "probe_words",
    "score_layers",
]
