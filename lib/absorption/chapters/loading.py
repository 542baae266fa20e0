"""The model of a chapter, alone or with its SAE, in the order in which little is lost if one is refused; its words."""

from __future__ import annotations

from typing import Any

from absorption.base.devices import resolve_device
from absorption.base.settings import ModelSettings, SaeSettings
from absorption.chapters.settings import ComparedSettings, WithoutProbeSettings
from absorption.models.before_loading import model_size
from absorption.models.language_model import LanguageModel, load_model
from absorption.one_sae.words import StudyWords, prepare_words
from absorption.saes import preflight
from absorption.saes.loaded import LoadedSae
from absorption.saes.loader import load_sae
from absorption.several_saes.comparison import companions


def load(settings: SaeSettings) -> tuple[LanguageModel, LoadedSae]:
    """Check everything, load the SAE, and only then the model.

    The SAE is checked against the model's configuration: a width or a hook that does not fit is told in seconds,
    not after gigabytes.

    Raises:
        ValueError, ConnectionError: as ``preflight.check``, ``load_sae`` and ``load_model``.
    """
    preflight.check(settings)
    size = model_size(settings.model, resolve_device(settings.device))
    sae = load_sae(
        settings.sae_release, settings.sae_id, size, path=settings.sae_path, hook_name=settings.hook_name
    )
    model = load_model(settings.model, settings.device, settings.dtype)
    if (model.n_layers, model.d_model) != (size.n_layers, size.d_model):
        raise ValueError(
            f"model {settings.model!r} has {model.n_layers} layers of width {model.d_model}, but its config says "
            f"{size.n_layers} of {size.d_model}; save it again with save_pretrained."
        )
    return model, sae


def load_with_companions(settings: ComparedSettings) -> tuple[LanguageModel, LoadedSae, list[LoadedSae]]:
    """The model, the SAE, and the shipped SAEs beside it (none if ``compare`` is off)."""
    model, sae = load(settings)
    return model, sae, companions(sae, model) if settings.compare else []


def load_alone(settings: ModelSettings) -> LanguageModel:
    """Check everything, and load the model of a chapter without an SAE.

    Raises:
        ValueError, ConnectionError: as ``preflight.check`` and ``load_model``.
    """
    preflight.check(settings)
    return load_model(settings.model, settings.device, settings.dtype)


def words_of(
    model: LanguageModel, sae: LoadedSae, settings: ComparedSettings | WithoutProbeSettings, **more: Any
) -> StudyWords:
    """The chapter's words where the SAE reads, with their probes; ``more``: what else ``prepare_words`` takes."""
    return prepare_words(
        model, sae.hook_name, n_words=settings.n_words, n_sets=settings.n_sets, seed=settings.seed, **more
    )
