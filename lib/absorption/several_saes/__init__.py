"""Several SAEs on the same words: tables, trends, the family's stored numbers, seeds."""

from absorption.several_saes.collected import collect
from absorption.several_saes.contrasts import ARCHITECTURE, L0, LAYER, SEED, WIDTH, differences, steps, trends
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
from absorption.several_saes.quantities import CLAIMED, QUANTITIES, RATES, RATES_UNGATED, SCORES, quantities
from absorption.several_saes.rates import label_saes, rates_by_sae
from absorption.several_saes.seeds import beside_seeds, repeated, statistics_over_seeds
from absorption.several_saes.stored_check import TOLERANCE, StaleNumbersError, again, chosen_for_check
from absorption.several_saes.stored_numbers import along, members, read_sae_family
