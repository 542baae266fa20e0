"""Of which latents it is asked whether a letter is part of them: absorbing ones, and others of the same letters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from absorption.definitions.evidence import Evidence
from absorption.definitions.rules import FULL_ABSORPTION
from absorption.probes.l1 import to_scipy

ABSORBING, MATCHED, OTHERS = GROUPS = ("absorbing", "others, matched by cosine", "others of the letter")
HALF = 0.5
"""A latent is a letter's if at least half of the training words that it is on for begin with it."""
LEAST_WORDS = 3
"""Training words that a latent must be on for to be any letter's."""
APART = 0.01
"""Largest difference of cosine between an absorbing latent and the one that it is matched with."""
COLUMNS = ["group", "letter", "latent", "cosine", "words"]
NO_LETTER = -1


@dataclass(frozen=True)
class Heard:
    """What the training words say of each latent."""

    letter: Int[np.ndarray, " latent"]
    """Number of the letter that a latent is of; ``NO_LETTER`` for none."""
    known: Bool[np.ndarray, " latent"]
    """Whether it is on for enough words to say."""


def hear(evidence: Evidence) -> Heard:
    """Which letter each latent is of, from the training words."""
    on = to_scipy(evidence.csr)[evidence.train.numpy()] > 0
    labels = torch.nn.functional.one_hot(evidence.letters[evidence.train], len(evidence.names)).numpy()
    counts = np.asarray(on.T.astype(np.float64) @ labels)
    total = counts.sum(1)
    known = total >= LEAST_WORDS
    share = counts.max(1) / np.maximum(total, 1)
    return Heard(np.where(known & (share >= HALF), counts.argmax(1), NO_LETTER), known)


def absorbing_latents(evidence: Evidence, judged: pd.DataFrame, letters: list[str]) -> pd.DataFrame:
    """Latents that absorb a word by full absorption: columns as in ``COLUMNS``, a row a letter and latent.

    Args:
        evidence: words and latents.
        judged: from ``definitions.apply_projection_rules``.
        letters: those to take.
    """
    rows = judged[
        (judged["definition"] == FULL_ABSORPTION) & judged["absorbed"] & judged["letter"].isin(letters)
    ]
    rows = rows.sort_values("strength", ascending=False, kind="stable")
    found = rows.groupby(["letter", "latent"], sort=True)["word"].agg(list).reset_index(name="words")
    number = {name: place for place, name in enumerate(evidence.names)}
    cosines = [
        float(evidence.cosines[number[letter], latent])
        for letter, latent in zip(found["letter"], found["latent"], strict=True)
    ]
    return found.assign(group=ABSORBING, cosine=cosines)[COLUMNS]


def other_latents(evidence: Evidence, heard: Heard, absorbing: pd.DataFrame) -> pd.DataFrame:
    """Latents of the same letters that absorb none of their test words and are no main latents; columns as above.

    ``words`` are the judged words of the letter that the latent is on for, the largest activation first.
    """
    on = _words_on(evidence)
    parts = []
    for letter, rows in absorbing.groupby("letter", sort=True):
        number = list(evidence.names).index(str(letter))
        taken = {*rows["latent"], *evidence.main.get(str(letter), ())}
        free = [int(i) for i in np.flatnonzero(heard.letter == number) if i not in taken]
        cosines = evidence.cosines[number, torch.tensor(free, dtype=torch.long)].tolist()
        words = [on.get((number, latent), []) for latent in free]
        about = {"group": OTHERS, "letter": letter, "latent": free, "cosine": cosines, "words": words}
        parts.append(pd.DataFrame(about))
    return pd.concat(parts, ignore_index=True)[COLUMNS] if parts else pd.DataFrame(columns=COLUMNS)


def matched_latents(absorbing: pd.DataFrame, others: pd.DataFrame) -> pd.DataFrame:
    """For each absorbing latent the other latent of its letter that is nearest in cosine, none twice.

    Only latents that are on for a judged word are taken, so that they can be removed there, and only within ``APART``.

    Returns:
        Columns as in ``COLUMNS``, and ``pair``, the absorbing latent.
    """
    picked, pairs = [], []
    for letter, rows in absorbing.groupby("letter", sort=True):
        pool = others[(others["letter"] == letter) & (others["words"].map(len) > 0)]
        for row in rows.sort_values("cosine", ascending=False).to_dict("records"):
            apart = (pool["cosine"] - row["cosine"]).abs()
            if pool.empty or apart.min() > APART:
                continue
            picked.append(apart.idxmin())
            pairs.append(int(row["latent"]))
            pool = pool.drop(index=picked[-1])
    return others.loc[picked].assign(group=MATCHED, pair=pairs).reset_index(drop=True)


def asked_latents(evidence: Evidence, heard: Heard, judged: pd.DataFrame, letters: list[str]) -> pd.DataFrame:
    """All three groups; columns as in ``COLUMNS``, and ``pair``: a matched latent's absorbing one, else -1."""
    absorbing = absorbing_latents(evidence, judged, letters)
    others = other_latents(evidence, heard, absorbing)
    tables = [absorbing, matched_latents(absorbing, others), others]
    found = pd.concat([table.assign(pair=table.get("pair", -1)) for table in tables], ignore_index=True)
    return found.astype({"latent": int, "cosine": float, "pair": int})


def with_a_match(asked: pd.DataFrame) -> pd.DataFrame:
    """The absorbing latents that have a matched one, in the order of these."""
    mine = asked[asked["group"] == ABSORBING].set_index(["letter", "latent"])
    matched = asked[asked["group"] == MATCHED]
    keys = list(zip(matched["letter"], matched["pair"], strict=True))
    return mine.loc[keys].reset_index() if keys else mine.iloc[:0].reset_index()


def _words_on(evidence: Evidence) -> dict[tuple[int, int], list[int]]:
    """Judged words by letter and latent that is on, the largest activation first."""
    found: dict[tuple[int, int], list[tuple[float, int]]] = {}
    letters = evidence.letters[evidence.words].tolist()
    for word, letter, mine in zip(evidence.words.tolist(), letters, evidence.active_latents, strict=True):
        for latent, activation in zip(mine.latents.tolist(), mine.activations.tolist(), strict=True):
            found.setdefault((letter, latent), []).append((-activation, word))
    return {key: [word for _, word in sorted(pairs)] for key, pairs in found.items()}


def letter_cosines(
    directions: Float[Tensor, "meta d_model"], letters: Float[Tensor, "letter d_model"]
) -> Float[np.ndarray, "meta letter"]:
    """Cosines of unit directions with the letters' unit directions."""
    return (directions.float() @ letters.float().T).numpy()
