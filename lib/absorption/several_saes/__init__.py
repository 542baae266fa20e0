"""Several SAEs on the same words: tables, trends, the family's stored numbers, seeds."""

from absorption.several_saes.contrasts import ARCHITECTURE, L0, LAYER, SEED, WIDTH, differences, steps, trends
from absorption.several_saes.edits import edit_rates, edits_by_sae
from absorption.several_saes.family_claims import claims_table
from absorption.several_saes.l0_trends import (
    SPLITS,
    at_one_width,
    difference,
    rate_trends,
    slope,
    split_claims,
    split_samples,
    split_table,
    splits_held_out,
    widest_pair,
)
from absorption.several_saes.published_edits import (
    best_sparsity,
    edited_by_letter,
    follows_f1,
    rate_texts,
    set_by_sae,
    set_rates,
)
from absorption.several_saes.quantities import CLAIMED, QUANTITIES, RATES, RATES_UNGATED, SCORES, quantities
from absorption.several_saes.rates import judge_saes, rates_by_sae
from absorption.several_saes.seeds import below_first_seed, beside_seeds, in_words, repeated, spread
from absorption.several_saes.stored_check import TOLERANCE, StaleNumbersError, again, chosen_for_check
from absorption.several_saes.stored_numbers import along, collect, members, read_family
