"""Chapter 10, is the metric right? The definitions on planted SAEs, where every absorbed word is known."""

from absorption.chapters.is_the_metric_right.found import (
    FINDS,
    FOOLED,
    MISSES,
    apply_to_cases,
    case_table,
    fraction_error,
    may_claim,
    probe_leak,
)
from absorption.chapters.is_the_metric_right.silence import silence_case_table, under_every_silence
from absorption.chapters.is_the_metric_right.sweeps import PANELS, sensitivity, split_share, sweep
