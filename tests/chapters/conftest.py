"""The chapters' tests: no test reads or fills the user's cache."""

from tests.toy.conftest import own_cache, plant

__all__ = ["own_cache", "plant"]
