"""Two ways to choose a letter's latent, layer by layer: by encoder cosine, and by k=1 sparse probing."""

from __future__ import annotations

import pandas as pd

from absorption.base.statistics import Estimate, interval, mean_interval
from absorption.chapters.recall_gap.scored import same_choice, score_saes
from absorption.models.language_model import LanguageModel
from absorption.probes.words import probe_words
from absorption.saes.loaded import LoadedSae
from absorption.saes.loader import load_sae
from absorption.saes.shipped import SHIPPED, shipped_card, shipped_ids
from absorption.spelling.activations import word_activations
from absorption.spelling.prompts import SpellingPrompts, make_prompts
from absorption.spelling.vocab import load_vocab, sample_words

PAIR = ("encoder cosine", "k=1 probing")
"""The paper's choice, and the other (Figures 16 and 17)."""
SAME = "same latent"


def at_other_layers(sae: LoadedSae, model: LanguageModel) -> list[LoadedSae]:
    """The SAE and the shipped ones of its recipe at other layers of the same model, by depth.

    Only the SAE itself if it is not a shipped one.
    """
    found = [sae]
    for sae_id in shipped_ids() if sae.card.get("recipe") else []:
        card = shipped_card(sae_id)
        if (
            _one_recipe(sae.card["recipe"], card["recipe"])
            and card["hook_name"] != sae.hook_name
            and card.get("model_weights_hash") == model.weights_hash
        ):
            found.append(load_sae(SHIPPED, sae_id, model))
    return sorted(found, key=lambda one: one.site.depth)


def _one_recipe(one: dict, other: dict) -> bool:
    """Whether two recipes differ in the layer alone; older cards lack fields that newer recipes have."""
    return all(one[name] == other[name] for name in one.keys() & other.keys() if name != "hook_name")


def choices_by_layer(
    model: LanguageModel, saes: list[LoadedSae], *, n_words: int, n_sets: int = 4, seed: int = 0
) -> pd.DataFrame:
    """Mean F1 of both choices and how often they agree, for each SAE on the same words (paper, Figure 17).

    Args:
        model: a loaded model.
        saes: SAEs that read it, each at its own layer.
        n_words: words used, drawn with the seed; 0: the whole vocabulary.
        n_sets: seeded sets of in-context examples.
        seed: of words, examples, split and bootstrap.

    Returns:
        ``sae, hook_name, depth, what, value, low, high``; ``what`` is a selection (its mean F1 over letters) or
        ``same latent`` (share of letters for which both choose it).
    """
    words = sample_words(load_vocab(model.tokenizer), n_words, seed)
    prompts = make_prompts(model, words, n_sets=n_sets, seed=seed)
    rows = []
    for sae in saes:
        for what, estimate in _of_one(model, sae, prompts, words, seed).items():
            rows.append((sae.name, sae.hook_name, sae.site.depth, what, *estimate))
    return pd.DataFrame(rows, columns=["sae", "hook_name", "depth", "what", "value", "low", "high"])


def _of_one(
    model: LanguageModel, sae: LoadedSae, prompts: SpellingPrompts, words: pd.DataFrame, seed: int
) -> dict[str, tuple[float, float, float]]:
    acts = word_activations(model, prompts, [sae.hook_name])[sae.hook_name]
    scored = score_saes([sae], probe_words(words, acts, seed=seed), seed=seed)
    found: dict[str, Estimate] = {}
    for selection in PAIR:
        samples = scored[0].samples[selection]
        low, high = interval(samples.samples["f1"])
        found[selection] = Estimate(samples.values["f1"], float(low), float(high))
    found[SAME] = mean_interval(same_choice(scored, PAIR)["same"].to_numpy(), seed=seed)
    return {what: (estimate.value, estimate.low, estimate.high) for what, estimate in found.items()}
