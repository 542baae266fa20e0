"""Planted SAEs of the toy worlds, for this room's tests too; no test reads or fills the user's cache."""

from tests.toy.conftest import own_cache, plant

__all__ = ["own_cache", "plant"]
