"""Feature splitting: k-sparse probing and the main latents of each letter (paper, section 5.3)."""

from absorption.splitting.describe import describe_main, split_contrast
from absorption.splitting.held_out import FLATS, SPLITS, halves, held_out_splits, letters_that_pass
from absorption.splitting.ksparse import F1_JUMP, MAX_K, KSparse, probe_k_sparse
from absorption.splitting.selection import (
    K_SPARSE,
    SELECTIONS,
    MainLatents,
    count_table,
    one_each,
    reference_steps,
    split_counts,
    split_letters,
    unconverged_probe,
)
from absorption.splitting.sparse_probe import SparseProbe, fit_sparse_probe

__all__ = [
    "F1_JUMP",
    "FLATS",
    "K_SPARSE",
    "MAX_K",
    "SELECTIONS",
    "SPLITS",
    "KSparse",
    "MainLatents",
    "SparseProbe",
    "count_table",
    "describe_main",
    "fit_sparse_probe",
    "halves",
    "held_out_splits",
    "letters_that_pass",
    "one_each",
    "probe_k_sparse",
    "reference_steps",
    "split_contrast",
    "split_counts",
    "split_letters",
    "unconverged_probe",
]
