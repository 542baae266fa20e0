"""The chapters' tests: no test reads or fills the user's cache."""

from tests.several_saes.conftest import data
from tests.toy.conftest import own_cache, plant

__all__ = ["data", "own_cache", "plant"]
