"""The way in: one SAE measured, from what is in a caller's hands to tables."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Sequence
from dataclasses import asdict
from os import PathLike
from typing import TYPE_CHECKING, Any

from absorption import one_sae
from absorption.api.definitions import BY_ABLATION, DEFINITIONS, check_definitions
from absorption.api.inputs import load_inputs, release_of
from absorption.api.result import Result
from absorption.api.tables import all_definitions, latents_table, rates_table, silences_table, words_table
from absorption.base.cache import versions
from absorption.definitions.gate import valid_letters
from absorption.definitions.thresholds import Thresholds
from absorption.latents.ksparse import F1_JUMP, MAX_K
from absorption.models.embedded import EMBEDDED
from absorption.models.language_model import LanguageModel
from absorption.models.objects import state_kept
from absorption.one_sae.study import Study
from absorption.one_sae.summary import Absorption, measure_absorption
from absorption.one_sae.words import StudyWords
from absorption.probes.words import PROBES, REFERENCE
from absorption.saes.loaded import LoadedSae
from absorption.spelling.vocab import load_vocab, pick_words

if TYPE_CHECKING:
    from sae_lens import SAE
    from transformer_lens.model_bridge import TransformerBridge
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

CUSTOM = "custom_sae"
"""The id that SAEBench gives to SAEs that are no release's."""
CANDIDATES = 10
"""Candidates of a letter that are ablated unless thresholds are given; the rate is scaled up from them."""


def measure(
    sae: SAE[Any] | str | PathLike[str] | tuple[str, str],
    model: PreTrainedModel | TransformerBridge | str | PathLike[str] = EMBEDDED,
    *,
    tokenizer: PreTrainedTokenizerBase | None = None,
    name: str = "",
    hook_name: str = "",
    n_words: int = 4000,
    words: Sequence[str] | None = None,
    seed: int = 0,
    definitions: Sequence[str] = DEFINITIONS,
    thresholds: Thresholds | None = None,
    probe: str = REFERENCE,
    device: str | None = None,
    dtype: str | None = None,
) -> Result:
    """Measure how much of the first-letter feature one SAE has absorbed into other latents.

    The words are single tokens of the model's tokenizer, each read inside a spelling prompt. What model and SAE say of
    them is kept in the cache folder (``$ABSORPTION_CACHE``), under hashes of weights and configuration. An SAE in
    memory is copied for the time of the call. A model in memory keeps its weights and its state; its modules stay
    behind those of TransformerLens' bridge, which compute the same.

    Args:
        sae: an SAE of SAELens in memory (one in training is measured as it would be saved for use), the folder of one
            (as SAELens, Gemma Scope or dictionary_learning write it), the id of one that the book ships, or a pair
            ``(release, id)`` of SAELens or of a repository on the Hugging Face hub.
        model: the model that it reads: the name of the embedded one, a folder, a Hugging Face id, a Hugging Face model
            in memory, or TransformerLens' bridge.
        tokenizer: the model's, if the model is in memory; a bridge may bring its own.
        name: what tables, pages and files call the SAE; default its id or folder, else ``in memory``.
        hook_name: where the SAE reads the residual stream, as ``blocks.8.hook_resid_post``; empty: as its metadata
            says.
        n_words: words used, drawn with the seed; 0: the whole vocabulary.
        words: these words instead, as the tokenizer has them: ``" short"`` with its leading space. At least five of
            every letter; ``n_words`` then plays no part.
        seed: of the words, the examples in the prompts, the split into training and test words, the choice of
            candidates, and the bootstrap.
        definitions: which of ``absorption.DEFINITIONS`` to use. Without the two by ablation the model runs on the words
            only once.
        thresholds: of all definitions; default the published ones, but at most ten ablated candidates a letter.
        probe: the kind of linear probe that the rates go by: ``reference`` (the published one), ``converged``,
            ``difference in means`` or ``pattern``.
        device: where a model is loaded: ``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``mps``. One in memory stays where
            it is.
        dtype: type of the weights of a model that is loaded: ``float32``, ``bfloat16``, ``float16``. One in memory
            keeps its own. The SAE always computes in float32.

    Returns:
        Tables of rates, latents and words. Where ablation is impossible (the model does not spell, the SAE lies
        behind the last attention layer), its definitions are left out, and ``facts["missing"]`` says why.

    Raises:
        TypeError: an SAE, a model or a tokenizer that is none.
        ValueError: an SAE that does not fit the model (width, hook, layer), that names no hook, or that cannot be
            measured; a model without a tokenizer; an unknown device, type, definition or probe; words that are no
            single tokens; no letter that can be probed.
        RuntimeError: a letter for which no latent speaks, or a ranking probe that did not converge.
        ConnectionError: what is neither on disk nor can be downloaded.
    """
    asked = check_definitions(definitions)
    if probe not in PROBES:
        raise ValueError(f"probe is {probe!r}; allowed: {', '.join(map(repr, PROBES))}.")
    if n_words < 0:
        raise ValueError(f"n_words is {n_words}; allowed: 0 (all) or more.")
    thresholds = thresholds or Thresholds(max_candidates=CANDIDATES)
    with state_kept(model):
        lm, loaded = load_inputs(
            sae, model, tokenizer=tokenizer, name=name, hook_name=hook_name, device=device, dtype=dtype
        )
        prepared = _words(lm, loaded, words, n_words, seed)
        (mine,) = one_sae.study_saes(prepared, [loaded])
        ablate = any(name in BY_ABLATION for name in asked)
        found = measure_absorption(mine, thresholds, probe=probe, ablate=ablate, seed=seed)
    judged, rates = all_definitions(found, asked, seed=seed)
    release, sae_id = release_of(sae) or (loaded.name, CUSTOM)
    about = {"seed": seed, "definitions": list(asked), "sae_lens_release": release, "sae_lens_id": sae_id}
    return Result(
        rates=rates_table(rates),
        latents=latents_table(mine, found),
        words=words_table(judged, prepared.table),
        silences=silences_table(mine, found, thresholds, asked, seed=seed),
        facts=_facts(lm, loaded, mine, found, thresholds, probe) | about,
    )


def _words(
    model: LanguageModel, sae: LoadedSae, words: Sequence[str] | None, n_words: int, seed: int
) -> StudyWords:
    chosen = None if words is None else pick_words(load_vocab(model.tokenizer), words)
    n_words = n_words if chosen is None else 0
    return one_sae.prepare_words(model, sae.hook_name, n_words=n_words, seed=seed, vocabulary=chosen)


def _facts(
    model: LanguageModel,
    sae: LoadedSae,
    mine: Study,
    found: Absorption,
    thresholds: Thresholds,
    probe: str,
) -> dict[str, Any]:
    limits: dict[str, Any] = {"f1_jump": F1_JUMP, "max_k": MAX_K, **asdict(thresholds)}
    return {
        "sae": sae.name,
        "sae_hash": sae.identity,
        "sae_configuration": sae.sae.cfg.to_dict(),
        "d_sae": sae.d_sae,
        "hook_name": sae.hook_name,
        "model": model.name,
        "model_hash": model.identity,
        "model_dtype": str(model.dtype).removeprefix("torch."),
        "d_model": model.d_model,
        "n_words": len(mine.words.table),
        "l0_words": float(mine.acts.l0.mean()),
        "probe": probe,
        "letters_judged": found.letters,
        "letters_valid": [letter for letter in found.letters if letter in valid_letters(found.gate)],
        "missing": found.missing,
        "thresholds": limits,
        "versions": {"absorption": importlib.metadata.version("absorption"), **versions()},
    }
