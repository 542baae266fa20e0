"""SAEs set by hand on the planted alphabet, in which every absorbed word is known.

A latent is stated by what it reads and what it writes, in units of features. In the plane of a letter and a family the
absorbing ones are the closed-form family of the paper's appendix: see ``theory.closed_form_weights``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import torch
from sae_lens import StandardSAE, StandardSAEConfig

from absorption.models.hooks import resolve_site
from absorption.planted.alphabet import FAINT, N_BACKGROUND, Alphabet
from absorption.saes.loaded import LoadedSae
from absorption.spelling.vocab import LETTERS

OFF = -1e-3
"""Bias of every latent: rounding must not count as firing."""
ABSORBING_FAMILIES = (0, 1)
"""Families whose latents absorb, of four; the others are recovered as they are."""
N_LEAKS = 5
"""Background features that a leaking letter latent reads: at least one of them is in half of all words."""
HOOK = "blocks.0.hook_resid_post"


@dataclass(frozen=True)
class Latent:
    """One latent: what it reads and writes, by feature; ``role`` says what it stands for."""

    role: str
    reads: Mapping[int, float]
    writes: Mapping[int, float]
    bias: float = OFF


@dataclass(frozen=True)
class Case:
    """A planted SAE, and how much of its letter each word's own latents fail to get.

    ``carried`` is the share of the letter that latents of the word's family write in place of the letter's own: the
    ``d`` of the closed-form family. 0 in words that no absorbing latent fires on.
    """

    name: str
    alphabet: Alphabet
    latents: tuple[Latent, ...]
    carried: Callable[[pd.DataFrame], np.ndarray] = field(default=lambda words: np.zeros(len(words)))

    def sae(self) -> LoadedSae:
        """The SAE, in SAELens' form."""
        reads, writes = (
            _matrix([getattr(latent, side) for latent in self.latents], self.alphabet.n_features)
            for side in ("reads", "writes")
        )
        config = StandardSAEConfig(d_in=self.alphabet.d_model, d_sae=len(self.latents))
        sae = StandardSAE(config)
        with torch.no_grad():
            sae.W_enc.copy_((reads @ self.alphabet.readers).T)
            sae.W_dec.copy_(writes @ self.alphabet.directions)
            sae.b_enc.copy_(torch.tensor([latent.bias for latent in self.latents]))
            sae.b_dec.zero_()
        return LoadedSae(self.name, sae.requires_grad_(False), resolve_site(HOOK, 2))

    def truth(self) -> np.ndarray:
        """``carried`` of every word."""
        return self.carried(self.alphabet.words)


def _matrix(rows: list[Mapping[int, float]], n_features: int) -> torch.Tensor:
    matrix = torch.zeros(len(rows), n_features)
    for number, row in enumerate(rows):
        matrix[number, list(row)] = torch.tensor(list(row.values()))
    return matrix


def absorbing(
    alphabet: Alphabet,
    d: float,
    *,
    hole: float = 1.0,
    twins: bool = False,
    leak: float = 0.0,
    name: str = "",
) -> Case:
    """The first two families of each letter carry ``d`` of it.

    Args:
        alphabet: words.
        d: share of the letter that a family's latent writes; 0 is the true dictionary, 1 full absorption.
        hole: by how much of ``d`` the family silences the letter's latent. At 1 the letter's latent supplies the
            rest, so at ``d`` = 1 it still fires, barely, where the letter is stronger than usual.
        twins: two latents share the work of each absorbing family.
        leak: activation that each of ``N_LEAKS`` background features adds to every letter's latent, in words of
            whatever letter.
        name: of the case.
    """
    absorbed = [number for number in ABSORBING_FAMILIES if number < len(alphabet.families)]
    latents = list(_alike(alphabet))
    leaks = {alphabet.background(number): leak for number in range(N_LEAKS)} if leak else {}
    for i in range(len(LETTERS)):
        # Where the family fires with its strength, exactly d of the letter has to go from one latent to the other.
        lean = d / alphabet.strength
        holes = {alphabet.family_feature(i, number): -hole * lean for number in absorbed}
        reads = {alphabet.letter(i): 1.0, **holes, **leaks}
        latents.append(Latent("letter", reads, {alphabet.letter(i): 1.0}))
        for number in range(len(alphabet.families)):
            mine, part = alphabet.family_feature(i, number), 0.5 if twins and number in absorbed else 1.0
            extra = {alphabet.letter(i): part * lean} if number in absorbed and d else {}
            latent = Latent("family", {mine: 1.0}, {mine: part, **extra})
            latents += [latent] * (2 if part < 1 else 1)

    def carried(words: pd.DataFrame) -> np.ndarray:
        return np.where(words["family"].isin(absorbed), d, 0.0)

    return Case(name or f"d = {d:g}", alphabet, tuple(latents), carried)


def missed(alphabet: Alphabet) -> Case:
    """Nothing absorbs, but the letters' latents are off in faint words, as in an SAE that saw too little.

    The alphabet needs faint words; the letter goes to the SAE's error there.
    """
    latents = [
        Latent(latent.role, latent.reads, latent.writes, -(1 + FAINT) / 2)
        if latent.role == "letter"
        else latent
        for latent in absorbing(alphabet, 0.0).latents
    ]
    return Case("under-trained", alphabet, tuple(latents))


def split(alphabet: Alphabet, name: str = "split") -> Case:
    """Two latents a letter, one for upper and one for lower case; nothing absorbs."""
    latents = [latent for latent in absorbing(alphabet, 0.0).latents if latent.role != "letter"]
    for i in range(len(LETTERS)):
        for upper in (True, False):
            reads = {alphabet.letter(i): 1.0, alphabet.case(not upper): -10.0}
            latents.append(Latent("letter", reads, {alphabet.letter(i): 1.0}))
    return Case(name, alphabet, tuple(latents))


def merged(alphabet: Alphabet) -> Case:
    """Hedging: too few latents for letters of their own, so that what goes with a letter writes it.

    The topic's latent writes as much of the letter as the topic foretells, and a family's latent, which never fires
    without its letter, all of it. No letter latent exists that could be absorbed.
    """
    latents = [latent for latent in _alike(alphabet) if latent.role != "topic"]
    for i in range(len(LETTERS)):
        topic = alphabet.topic(i)
        latents.append(Latent("topic", {topic: 1.0}, {topic: 1.0, alphabet.letter(i): 0.6}))
        for number in range(len(alphabet.families)):
            mine = alphabet.family_feature(i, number)
            writes = {mine: 1.0, alphabet.letter(i): 1 / alphabet.strength}
            latents.append(Latent("family", {mine: 1.0}, writes))
    return Case("hedging", alphabet, tuple(latents))


def _alike(alphabet: Alphabet) -> list[Latent]:
    """What all cases have: a latent for each topic, case and background feature."""
    topics = [("topic", alphabet.topic(i)) for i in range(len(LETTERS))]
    cases = [("case", alphabet.case(upper)) for upper in (True, False)]
    rest = [("background", alphabet.background(i)) for i in range(N_BACKGROUND)]
    return [Latent(role, {feature: 1.0}, {feature: 1.0}) for role, feature in [*topics, *cases, *rest]]
