"""Chapter 8, how much co-occurrence, how much sparsity: when absorption sets in, and how complete it is."""

from absorption.chapters.co_occurrence.experiments import (
    directions,
    imperfect_co_occurrence,
    partial_absorption,
)
from absorption.chapters.co_occurrence.magnitudes import child_magnitudes
from absorption.chapters.co_occurrence.sweeps import (
    batchtopk_surface,
    budget,
    chain,
    child_rates,
    sparsity_surface,
    tied_weights,
)
