"""The shipped family of SAEs side by side: stored numbers, their check, and differences along one setting."""

from absorption.family.check import StaleNumbersError, again, chosen_for_check
from absorption.family.contrasts import (
    ARCHITECTURE,
    L0,
    LAYER,
    SEED,
    WIDTH,
    beside_seed,
    claims_table,
    differences,
    steps,
    trends,
)
from absorption.family.numbers import (
    Family,
    StoredNumbersError,
    along,
    collect,
    members,
    read_family,
)
from absorption.family.quantities import QUANTITIES, RATES, SCORES, quantities

__all__ = [
    "ARCHITECTURE",
    "L0",
    "LAYER",
    "QUANTITIES",
    "RATES",
    "SCORES",
    "SEED",
    "WIDTH",
    "Family",
    "StaleNumbersError",
    "StoredNumbersError",
    "again",
    "along",
    "beside_seed",
    "chosen_for_check",
    "claims_table",
    "collect",
    "differences",
    "members",
    "quantities",
    "read_family",
    "steps",
    "trends",
]
