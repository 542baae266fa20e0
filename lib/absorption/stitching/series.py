"""Which shipped SAEs are a series, all alike but for their width: found from the cards, without a list."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from absorption.saes.shipped import shipped_card, shipped_ids

ALIKE = ("architecture", "k", "hook_name", "model_weights_hash", "data")
"""What the cards of a series share. Width and seed are what differs."""
Card = Mapping[str, Any]


@dataclass(frozen=True)
class Series:
    """SAEs that differ in width, and two that differ in the seed alone."""

    ids: tuple[str, ...]
    """Narrow to wide."""
    control: tuple[str, ...]
    """Two seeds of one width, the one of ``ids`` first; empty if no width has a second seed."""
    n_held_out: int
    """Tokens at the beginning of the text that none of them was trained on."""


def find_series(ids: Sequence[str] = ()) -> Series:
    """The shipped SAEs that differ in the most widths and in nothing else but seeds.

    Args:
        ids: the SAEs to choose from; none: all that are shipped.

    Raises:
        ValueError: an id that is not shipped, or no two SAEs of different width that are otherwise alike.
    """
    cards = [shipped_card(sae_id) for sae_id in ids or shipped_ids()]
    alike = defaultdict(list)
    for card in cards:
        alike[tuple(card[name] for name in ALIKE)].append(card)
    # The first of equals: shipped ids come in one order.
    best = max(alike.values(), key=lambda members: len({card["d_sae"] for card in members}))
    widths = _by_width(best)
    if len(widths) < 2:
        names, alike_in = ", ".join(card["sae_id"] for card in cards[:6]), ", ".join(ALIKE)
        raise ValueError(
            f"sae_ids {names}: no two of them differ in d_sae and share {alike_in}; allowed: at least two that do."
        )
    first = _most_common_seed(best)
    ids_found = [_with_seed(members, first)["sae_id"] for members in widths.values()]
    n_held_out = min(card["recipe"]["n_held_out"] for card in best)
    return Series(tuple(ids_found), _control(widths, first), n_held_out)


def _by_width(cards: Sequence[Card]) -> dict[int, list[Card]]:
    found = defaultdict(list)
    for card in sorted(cards, key=lambda card: (card["d_sae"], card["recipe"]["seed"])):
        found[card["d_sae"]].append(card)
    return dict(found)


def _most_common_seed(cards: Sequence[Card]) -> int:
    seeds = [card["recipe"]["seed"] for card in cards]
    return max(sorted(set(seeds)), key=seeds.count)


def _with_seed(members: Sequence[Card], seed: int) -> Card:
    return next((card for card in members if card["recipe"]["seed"] == seed), members[0])


def _control(widths: Mapping[int, Sequence[Card]], seed: int) -> tuple[str, ...]:
    """Two seeds of the width nearest to the middle of the series that has two."""
    twice = [place for place, members in enumerate(widths.values()) if len(members) > 1]
    if not twice:
        return ()
    middle = (len(widths) - 1) / 2
    members = list(widths.values())[min(twice, key=lambda place: abs(place - middle))]
    first = _with_seed(members, seed)
    other = next(card for card in members if card is not first)
    return first["sae_id"], other["sae_id"]
