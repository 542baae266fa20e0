"""The letters' latents under both splits of the words: by word, as published, and by stem."""

from __future__ import annotations

import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from absorption.latents.select import SINGLE_LATENT_SELECTIONS, select_latents
from absorption.latents.sparse import ACTIVE, encode_words
from absorption.probes.scores import letter_scores
from absorption.probes.words import probe_words
from absorption.saes.loaded import LoadedSae
from absorption.spelling.vocab import BY_STEM, BY_WORD, LETTERS, SPLITS, stems

MEAN = "mean"


def f1_by_split(
    sae: LoadedSae,
    words: pd.DataFrame,
    acts: Float[Tensor, "word d_model"],
    *,
    selection: str = SINGLE_LATENT_SELECTIONS[0],
    seed: int = 0,
) -> pd.DataFrame:
    """F1 of "the letter's latent is on" on the test words of each split; probe and latent are chosen anew in each.

    Args:
        sae: the SAE.
        words: the vocabulary table.
        acts: the words' activations where the SAE reads.
        selection: one of ``SINGLE_LATENT_SELECTIONS``.
        seed: of the splits and the bootstrap.

    Returns:
        ``split, letter, latent, value, low, high``; ``letter`` is ``mean`` (``latent`` -1) for the mean over letters.
        Stems are resampled, so that a word and its variants are drawn together under either split.

    Raises:
        ValueError: there is no such selection, or all words of a letter have one stem.
    """
    if selection not in SINGLE_LATENT_SELECTIONS:
        raise ValueError(
            f"selection is {selection!r}; allowed: {', '.join(map(repr, SINGLE_LATENT_SELECTIONS))}."
        )
    latent_acts = encode_words(sae, acts)
    tables = []
    for split in SPLITS:
        probed = probe_words(words, acts, seed=seed, split=split)
        test = torch.from_numpy(probed.test)
        chosen = select_latents(sae, probed, latent_acts)[selection]
        mine = latent_acts.dense(chosen)[test]
        groups = stems(words).to_numpy()[probed.test]
        scores = letter_scores(mine, probed.labels[test], predicted=mine > ACTIVE, seed=seed, groups=groups)
        f1 = scores[scores["metric"] == "f1"]
        latent = f1["letter"].map(dict(zip(LETTERS, chosen.tolist(), strict=True))).fillna(-1).astype(int)
        tables.append(f1.assign(split=split, latent=latent))
    return pd.concat(tables, ignore_index=True)[["split", "letter", "latent", "value", "low", "high"]]


def splits_in_words(table: pd.DataFrame) -> dict[str, object]:
    """What a text says of ``f1_by_split``.

    Returns:
        ``mean_by_word`` and ``mean_by_stem`` as value and interval, ``n_letters`` scored under both splits,
        ``n_same`` of them with the same latent under both, and ``n_apart`` whose two intervals do not touch.
    """
    means = table[table["letter"] == MEAN].set_index("split")
    letters = table[table["letter"] != MEAN]
    both = letters[letters["split"] == BY_WORD].merge(
        letters[letters["split"] == BY_STEM], on="letter", suffixes=("_word", "_stem")
    )
    apart = (both["low_word"] > both["high_stem"]) | (both["low_stem"] > both["high_word"])
    told = {
        f"mean_by_{split}": "{value:.3f} [{low:.3f}, {high:.3f}]".format(**means.loc[split])
        for split in (BY_WORD, BY_STEM)
    }
    return {
        **told, "n_letters": len(both), "n_same": int((both["latent_word"] == both["latent_stem"]).sum()),
        "n_apart": int(apart.sum()),
    }  # fmt: skip
