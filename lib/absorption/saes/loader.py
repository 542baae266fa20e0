"""Sparse autoencoders: shipped ones, any SAELens release, or a local folder, checked against the model.

Parameters follow SAELens: a release and an id. Two releases are ours: ``shipped`` (the folders of
``data/saes``) and ``local`` (a folder in one of the formats of ``sae_formats``, given as ``sae_path``).
"""

from __future__ import annotations

import re
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

from sae_lens import SAE
from sae_lens.loading.pretrained_sae_loaders import get_sae_lens_config_from_disk, handle_config_defaulting
from sae_lens.loading.pretrained_saes_directory import get_pretrained_saes_directory

from absorption.base import cache
from absorption.base.reasons import first_line
from absorption.base.settings import DEFAULT_SAE
from absorption.models import hub
from absorption.models.before_loading import ModelSize
from absorption.models.hooks import resolve_site
from absorption.models.language_model import DTYPES, LanguageModel
from absorption.saes.formats import ARCHITECTURES, checked, find_format
from absorption.saes.headers import FILES
from absorption.saes.identity import check_values, configuration
from absorption.saes.loaded import LoadedSae
from absorption.saes.shipped import (
    LOCAL,
    SHIPPED,
    check_shipped,
    shipped_card,
    shipped_folder,
    unknown_name,
)

REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")
"""A repository of the hub, ``owner/name``."""
ModelOrSize = LanguageModel | ModelSize
"""The model that an SAE is to read: loaded, or as its configuration describes it."""


def shipped_configuration(sae_id: str) -> str:
    """The ``configuration_hash`` that a shipped SAE has when loaded, from its ``cfg.json`` alone."""
    config = get_sae_lens_config_from_disk(shipped_folder(sae_id), cfg_overrides={"dtype": "float32"})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sae = SAE.from_dict({**handle_config_defaulting(config), "device": "meta"})  # no memory for weights
    return cache.json_hash(configuration(sae))


def load_sae(
    release: str,
    sae_id: str,
    model: ModelOrSize,
    *,
    path: str = "",
    hook_name: str = "",
    dtype: str = "float32",
) -> LoadedSae:
    """Load an SAE and check that it fits the model.

    Args:
        release: ``shipped``, ``local``, a SAELens release, or a repository of the hub, ``owner/name``.
        sae_id: id within the release, of a repository the subfolder; for ``local`` only a name for the pages
            (default the folder's name).
        model: the model whose residual stream the SAE reads, loaded or as its configuration describes it.
        path: folder of a ``local`` SAE.
        hook_name: where the SAE reads; default what its own metadata says.
        dtype: type of the weights once loaded; shipped files are float16 on disk.

    Raises:
        ValueError: unknown release, id, dtype or hook; a folder without a config; wrong width for the model.
        ConnectionError: a release that cannot be downloaded.
    """
    check_dtype(dtype)
    card: dict[str, Any] = {}
    revision = ""
    if release == SHIPPED:
        check_shipped(sae_id)
        sae, name = _from_folder(shipped_folder(sae_id), model, dtype), sae_id
        card = shipped_card(sae_id)
    elif release == LOCAL:
        folder = Path(path).expanduser()
        sae, name = _from_folder(folder, model, dtype), _local_name(sae_id, folder)
    elif release not in get_pretrained_saes_directory() and REPOSITORY.fullmatch(release):
        (sae, revision), name = _from_repository(release, sae_id, model, dtype), f"{release} {sae_id}"
    else:
        sae, name = _from_release(release, sae_id, model, dtype), f"{release} {sae_id}"
        revision = hub.cached_revision(get_pretrained_saes_directory()[release].repo_id)
    return replace(place_sae(sae, name, model, hook_name, card), revision=revision)


def check_dtype(dtype: str) -> None:
    """Raise ValueError for a type that weights cannot be loaded in."""
    if dtype not in DTYPES:
        raise ValueError(f"dtype {dtype!r} is unknown; allowed: {', '.join(DTYPES)}.")


def _local_name(sae_id: str, folder: Path) -> str:
    """A chapter's default id names a shipped SAE: on a local one it would be false."""
    return folder.resolve().name if sae_id in ("", DEFAULT_SAE) else sae_id


def _from_folder(folder: Path, model: ModelOrSize, dtype: str) -> SAE[Any]:
    form = find_format(folder)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            sae = SAE.load_from_disk(folder, device=str(model.device), dtype=dtype, converter=checked(form))
    except Exception as error:  # a damaged or foreign file can fail in any way; the folder is what matters
        reason = (
            f"unknown or missing: {first_line(error)}" if isinstance(error, KeyError) else first_line(error)
        )
        raise ValueError(f"sae_path {str(folder)!r} could not be read as {form.name}: {reason}") from error
    return sae.to(dtype=DTYPES[dtype])  # type: ignore[return-value]


def _from_release(release: str, sae_id: str, model: ModelOrSize, dtype: str) -> SAE[Any]:
    directory = get_pretrained_saes_directory()
    if release not in directory:
        raise ValueError(unknown_name("sae_release", release, [SHIPPED, LOCAL, *directory], "SAELens"))
    if sae_id not in directory[release].saes_map:
        raise ValueError(
            unknown_name("sae_id", sae_id, list(directory[release].saes_map), f"release {release!r}")
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return SAE.from_pretrained(release, sae_id, device=str(model.device), dtype=dtype)
    except Exception as error:
        if not hub.is_download(error):
            raise
        repo = directory[release].repo_id
        raise ConnectionError(_not_downloaded(release, sae_id, hub.explain(error, repo))) from error


def _from_repository(repo: str, sae_id: str, model: ModelOrSize, dtype: str) -> tuple[SAE[Any], str]:
    """An SAE in anybody's repository on the hub, in any format that a folder may have; and the revision."""
    try:
        folder = hub.fetch_folder(repo, sae_id, FILES.values())
    except Exception as error:
        if not hub.is_download(error):
            raise
        raise ConnectionError(_not_downloaded(repo, sae_id, hub.explain(error, repo))) from error
    return _from_folder(folder, model, dtype), hub.revision_of(folder)


def _not_downloaded(release: str, sae_id: str, reason: str) -> str:
    return (
        f"SAE {release} / {sae_id} could not be downloaded: {reason} "
        "Connect to the Hugging Face hub (gated ones need HF_TOKEN), or use sae_release 'shipped' or 'local'."
    )


def place_sae(
    sae: SAE[Any], name: str, model: ModelOrSize, hook_name: str = "", card: dict[str, Any] | None = None
) -> LoadedSae:
    """Check an SAE against the model that it is to read; the object is set to evaluate and is kept.

    Args:
        sae: on the model's device, of any type.
        name: what pages call it.
        model: the model, loaded or as its configuration describes it.
        hook_name: where it reads; default what its metadata says.
        card: training facts.

    Raises:
        ValueError: as ``load_sae``, of what is wrong with the SAE itself or with its place.
    """
    _check_kind(sae, name)
    if sae.cfg.d_in != model.d_model:
        raise ValueError(
            f"SAE {name!r} reads d_in {sae.cfg.d_in}, but model {model.name!r} has d_model {model.d_model}."
        )
    hook = hook_name or sae.cfg.metadata.hook_name
    if not hook:
        raise ValueError(
            f"SAE {name!r} does not say which hook it reads; set hook_name, e.g. blocks.8.hook_resid_post."
        )
    sae.eval().requires_grad_(False)
    return LoadedSae(name=name, sae=sae, site=resolve_site(str(hook), model.n_layers), card=card or {})


def _check_kind(sae: SAE[Any], name: str) -> None:
    """Only SAEs whose latents each write activation times decoder row are measured rightly here."""
    if (kind := sae.cfg.architecture()) not in ARCHITECTURES:
        raise ValueError(
            f"SAE {name!r} has architecture {repr(kind)[:80]}; allowed: {', '.join(ARCHITECTURES)}."
        )
    check_values(sae, name)
    if sae.cfg.normalize_activations in ("expected_average_only_in", "covariance_whitening"):
        raise ValueError(
            f"SAE {name!r} expects inputs scaled by {sae.cfg.normalize_activations!r}, which its files do not hold; "
            "fold the scale into its weights (SAELens: fold_activation_norm_scaling_factor) and save it again."
        )
    if getattr(sae.cfg, "rescale_acts_by_decoder_norm", False):
        sae.fold_W_dec_norm()  # the same function, with activations in units of the decoder rows
