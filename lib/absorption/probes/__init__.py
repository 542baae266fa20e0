"""Linear probes for the first letter: the published one, a converged one, and the directions letters are
written along."""

from absorption.probes.fit import ProbeSet, fit_probes, one_hot
from absorption.probes.means import difference_in_means, pattern
from absorption.probes.reference import fit_reference
from absorption.probes.scores import (
    METRICS,
    letter_scores,
    letter_table,
    mean_scores,
    prevalence_f1,
    score_layers,
    score_splits,
)
from absorption.probes.words import (
    CONVERGED,
    MEANS,
    PATTERN,
    PROBES,
    REFERENCE,
    ProbedWords,
    probe_words,
    probes_of,
)

__all__ = [
    "CONVERGED",
    "MEANS",
    "METRICS",
    "PATTERN",
    "PROBES",
    "REFERENCE",
    "ProbeSet",
    "ProbedWords",
    "difference_in_means",
    "fit_probes",
    "fit_reference",
    "letter_scores",
    "letter_table",
    "mean_scores",
    "one_hot",
    "pattern",
    "prevalence_f1",
    "probe_words",
    "probes_of",
    "score_layers",
    "score_splits",
]
