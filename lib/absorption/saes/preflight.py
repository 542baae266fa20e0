"""Preflight: what can be known to be wrong is refused before a model is loaded or anything is computed."""

from __future__ import annotations

from pathlib import Path

from absorption.base import cache_root
from absorption.base.devices import check_device
from absorption.base.settings import ModelSettings, SaeSettings, Settings
from absorption.base.writable import check_writable
from absorption.models.before_loading import ModelSize, model_size
from absorption.models.hooks import resolve_site
from absorption.saes import headers, shipped


def check(settings: Settings) -> None:
    """Check folders, device, model config and the SAE's files against each other, in the order of their cost.

    A release of the hub is known by its files alone; those are read when it is loaded, before the model.

    Args:
        settings: of any chapter; their ranges were checked when they were made.

    Raises:
        ValueError: one or two lines that name what is wrong.
        ConnectionError: a model's config that is neither on disk nor downloadable.
    """
    check_folders(settings)
    if device := getattr(settings, "device", ""):
        check_device(device)
    if isinstance(settings, ModelSettings):
        size = model_size(settings.model)
        hook = getattr(settings, "hook_name", "")
        if hook:
            resolve_site(hook, size.n_layers)
        if isinstance(settings, SaeSettings):
            check_sae(settings, size)


def check_folders(settings: Settings) -> None:
    """Cache and results folder can be written (ValueError if not)."""
    check_writable(
        cache_root.root(), "cache folder", "set the environment variable ABSORPTION_CACHE to a folder"
    )
    if settings.results_dir:
        check_writable(Path(settings.results_dir), "results_dir", "name another folder")


def check_sae(settings: SaeSettings, model: ModelSize) -> None:
    """A shipped or local SAE's files fit the model's width and layers.

    Raises:
        ValueError: no such SAE, files that are none, another width, a hook that the model lacks, or none at all.
    """
    if settings.sae_release == shipped.SHIPPED:
        folder = shipped.shipped_folder(settings.sae_id)
    elif settings.sae_release == shipped.LOCAL:
        folder = Path(settings.sae_path).expanduser()
    else:
        return
    header = headers.read_header(folder)
    if header.d_in is not None and header.d_in != model.d_model:
        raise ValueError(
            f"SAE {folder.name!r} reads d_in {header.d_in}, but model {model.name!r} has d_model {model.d_model}."
        )
    hook = settings.hook_name or header.hook
    if not hook:
        raise ValueError(
            f"SAE {folder.name!r} does not say which hook it reads; set hook_name, e.g. blocks.8.hook_resid_post."
        )
    resolve_site(hook, model.n_layers)
