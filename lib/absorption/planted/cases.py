"""Planted SAEs.

Ten on which the definitions are tried: in five nothing absorbs, though something looks like it; in five two families of
each letter do. Four on which the rules of silence are tried: the letter's latent leaks, or is weakly on where others
carry the letter, or both.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from absorption.planted.alphabet import Alphabet
from absorption.planted.saes import Case, absorbing, merged, missed, split

SILENCED = 1.5
"""A hole in the letter's latent deep enough to silence it in every word of an absorbing family."""
CASES = {
    "true dictionary": "a latent for every feature",
    "even split": "two latents a letter, upper and lower case, in equal numbers",
    "small split": "the same with one word in twenty in lower case",
    "hedging": "no latent for letters; what goes with a letter writes it",
    "under-trained": "the letter's latent is off in faint words, and nothing takes its place",
    "full absorption": "two small families of each letter carry it, the letter's latent is off",
    "barely on": "the same, but the letter's latent supplies what is missing in strong words",
    "half absorbed": "the two families carry half of the letter",
    "two absorbers": "full absorption, each family's work shared by two latents",
    "large families": "full absorption by families of many words",
}
"""What is planted; the last five absorb."""
LEAK = 0.17
"""Activation that a letter's latent has in a word of any letter for each background feature that it leaks on. No
multiple of it meets a faint letter's, so that rounding decides no word."""
CARRIED_WEAKLY = 0.8
"""Share of the letter that families carry where its latent is weakly on and supplies the rest."""
SILENCE_CASES = {
    "leaky": "two small families of each letter carry it; the letter's latent leaks on about half of all words",
    "weakly on": "the two families carry four fifths of the letter, and the letter's latent the rest",
    "leaky, weakly on": "the same, and the letter's latent leaks",
    "leaky, faint": "nothing absorbs; the letter's latent leaks, and in faint words it is no stronger than a leak",
}
"""What is planted to try the rules of silence on; the first three absorb."""


def four_word_families(n_words: int = 200, d_model: int = 256, seed: int = 0) -> Alphabet:
    """The words that all cases start from: four families of 3% of a letter's words each; sizes as in ``Alphabet``."""
    family = max(1, round(0.03 * n_words))
    return Alphabet(n_words=n_words, families=(family,) * 4, d_model=d_model, seed=seed)


def cases(plain: Alphabet) -> Iterator[Case]:
    """The planted SAEs, in the order of ``CASES``.

    Args:
        plain: words that all start from, of four families a letter.
    """
    faint, uneven = replace(plain, faint_share=0.2), replace(plain, upper_share=0.95)
    large = replace(plain, families=(plain.n_words * 3 // 20,) * 2 + plain.families[2:])
    made = [
        absorbing(plain, 0.0),
        split(plain),
        split(uneven),
        merged(plain),
        missed(faint),
        absorbing(plain, 1.0, hole=SILENCED),
        absorbing(plain, 1.0),
        absorbing(plain, 0.5),
        absorbing(plain, 1.0, hole=SILENCED, twins=True),
        absorbing(large, 1.0, hole=SILENCED),
    ]
    for name, case in zip(CASES, made, strict=True):
        yield replace(case, name=name)


def silence_cases(plain: Alphabet) -> Iterator[Case]:
    """The planted SAEs, in the order of ``SILENCE_CASES``.

    Args:
        plain: as in ``cases``.
    """
    made = [
        absorbing(plain, 1.0, leak=LEAK),
        absorbing(plain, CARRIED_WEAKLY),
        absorbing(plain, CARRIED_WEAKLY, leak=LEAK),
        absorbing(replace(plain, faint_share=0.2), 0.0, leak=LEAK),
    ]
    for name, case in zip(SILENCE_CASES, made, strict=True):
        yield replace(case, name=name)
