"""The width that most SAEs share, by hand."""

from __future__ import annotations

from absorption.several_saes.one_width import share_width

NAN = float("nan")


def test_the_width_of_most_saes_is_taken_and_others_are_left_out() -> None:
    assert share_width([64, 128, 64, 64], [16.0, 32.0, 32.0, 64.0]).tolist() == [True, False, True, True]


def test_an_sae_without_a_known_l0_neither_counts_for_a_width_nor_has_it() -> None:
    assert (
        share_width([128, 128, 128, 64, 64], [8.0, NAN, NAN, 16.0, 32.0]).tolist() == [False] * 3 + [True] * 2
    )
    assert share_width([64, 64], [NAN, 16.0]).tolist() == [False, True]


def test_no_known_l0_and_no_sae_share_no_width() -> None:
    assert share_width([64, 64], [NAN, NAN]).tolist() == [False, False]
    assert share_width([], []).tolist() == []
