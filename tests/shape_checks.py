"""The type checker that reads the shape annotations at test time (see conftest.py)."""

from __future__ import annotations

from beartype import BeartypeConf, beartype

check = beartype(conf=BeartypeConf(is_pep484_tower=True))
"""An int passes for a float, as everywhere in Python."""
