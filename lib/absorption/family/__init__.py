"""The shipped family of SAEs side by side: stored numbers, their check, and differences along one setting."""

from absorption.family.check import TOLERANCE, StaleNumbersError, again, chosen_for_check
from absorption.family.contrasts import (
    ARCHITECTURE,
    L0,
    LAYER,
    SEED,
    WIDTH,
    differences,
    steps,
    trends,
)
from absorption.family.ledger import claims_table
from absorption.family.numbers import (
    Family,
    StoredNumbersError,
    along,
    collect,
    members,
    read_family,
)
from absorption.family.quantities import CLAIMED, QUANTITIES, RATES, RATES_UNGATED, SCORES, quantities
from absorption.family.seeds import below_first_seed, beside_seeds, in_words, repeated, spread

__all__ = [
    "ARCHITECTURE",
    "CLAIMED",
    "L0",
    "LAYER",
    "QUANTITIES",
    "RATES",
    "RATES_UNGATED",
    "SCORES",
    "SEED",
    "TOLERANCE",
    "WIDTH",
    "Family",
    "StaleNumbersError",
    "StoredNumbersError",
    "again",
    "along",
    "below_first_seed",
    "beside_seeds",
    "chosen_for_check",
    "claims_table",
    "collect",
    "differences",
    "in_words",
    "members",
    "quantities",
    "read_family",
    "repeated",
    "spread",
    "steps",
    "trends",
]
