"""Several SAEs on the same words: what each one's main latents are, and what the criteria say of it."""

from absorption.study.by_probe import probe_table, rates_by_probe
from absorption.study.case import CaseStudy, name_latents, tell_case
from absorption.study.filters import FilterExample, filter_example
from absorption.study.gate import failing, gate_table, in_words
from absorption.study.one_prompt import letter_words, prompt_activations
from absorption.study.rates import Judged, judge_saes, rates_by_jump, rates_by_sae, rates_by_selection
from absorption.study.roles import case_latents, letter_cosines, letter_roles, words_of
from absorption.study.study import CONVERGED, FEW_WORDS, UNCONVERGED, Study, study_saes, train_rows
from absorption.study.trends import (
    RATE,
    SPLITS,
    at_one_width,
    difference,
    letters_split_share,
    rate_claims,
    rate_samples,
    rate_trends,
    slope,
    split_claims,
    split_samples,
    split_table,
    splits_held_out,
    widest_pair,
)
from absorption.study.words import StudyWords, prepare_words, thin

__all__ = [
    "CONVERGED",
    "FEW_WORDS",
    "RATE",
    "SPLITS",
    "UNCONVERGED",
    "CaseStudy",
    "FilterExample",
    "Judged",
    "Study",
    "StudyWords",
    "at_one_width",
    "case_latents",
    "difference",
    "failing",
    "filter_example",
    "gate_table",
    "in_words",
    "judge_saes",
    "letter_cosines",
    "letter_roles",
    "letter_words",
    "letters_split_share",
    "name_latents",
    "prepare_words",
    "probe_table",
    "prompt_activations",
    "rate_claims",
    "rate_samples",
    "rate_trends",
    "rates_by_jump",
    "rates_by_probe",
    "rates_by_sae",
    "rates_by_selection",
    "slope",
    "split_claims",
    "split_samples",
    "split_table",
    "splits_held_out",
    "study_saes",
    "tell_case",
    "thin",
    "train_rows",
    "widest_pair",
    "words_of",
]
