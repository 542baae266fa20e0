"""What a stored file says of itself: the place that it was written for, and a checksum of its values.

A file with a bit turned, or one that was put under another's name, is as readable as a whole one; its seal does not
fit. Files from before there were seals have none.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # slow to import; whoever calls has them already
    import pandas as pd
    import torch

NAME = "absorption"
"""Of the seal among a file's metadata; one entry only, so that a file's bytes do not depend on an order."""


class Broken(ValueError):
    """A file that is not what was written there."""


def of_tensors(place: str, tensors: Mapping[str, torch.Tensor]) -> str:
    """The seal of named tensors.

    Args:
        place: stage and key, or whatever no two files share.
        tensors: what is stored.
    """
    return of_state(place, dict(sorted(tensors.items())))


def write_tensors(path: Path, place: str, tensors: Mapping[str, torch.Tensor]) -> None:
    """Write a safetensors file with its seal."""
    from safetensors.torch import save

    whole = {name: tensor.contiguous() for name, tensor in tensors.items()}
    # save_file would write another file beside this one and rename it: a kill would leave that one behind.
    path.write_bytes(save(whole, metadata={NAME: of_tensors(place, whole)}))


def read_tensors(path: Path, place: str) -> dict[str, torch.Tensor]:
    """The tensors of a safetensors file.

    Raises:
        Broken: they are not those that were written for this place.
        SafetensorError: cut off, or no such file.
    """
    from safetensors import safe_open
    from safetensors.torch import load_file

    with safe_open(path, framework="pt") as header:  # checked against the file's length
        metadata = header.metadata()
    tensors = load_file(path)
    if metadata is not None and metadata.get(NAME) != of_tensors(place, tensors):
        raise Broken(f"{path} is not what was written there.")
    return tensors


def write_table(path: Path, place: str, table: pd.DataFrame) -> None:
    """Write a parquet file with its seal."""
    import pyarrow
    import pyarrow.parquet

    content = pyarrow.Table.from_pandas(table, preserve_index=False)
    metadata = {**(content.schema.metadata or {}), NAME: f"{place} {_table_hash(table)}"}
    pyarrow.parquet.write_table(content.replace_schema_metadata(metadata), path)


def read_table(path: Path, place: str) -> pd.DataFrame:
    """The table of a parquet file.

    Raises:
        Broken: it is not the one that was written for this place, or is damaged.
        FileNotFoundError: there is none.
    """
    import pyarrow.parquet

    try:
        content = pyarrow.parquet.read_table(path)
        table = content.to_pandas()
    except FileNotFoundError:
        raise
    except Exception as error:  # a damaged file can fail in any way
        raise Broken(f"{path} cannot be read: {error}") from None
    seal = (content.schema.metadata or {}).get(NAME.encode())
    if seal is not None and seal.decode(errors="replace") != f"{place} {_table_hash(table)}":
        raise Broken(f"{path} is not what was written there.")
    return table


def _table_hash(table: pd.DataFrame) -> str:
    import pandas as pd

    digest = hashlib.sha256(repr([*zip(table.columns, map(str, table.dtypes), strict=True)]).encode())
    digest.update(pd.util.hash_pandas_object(table, index=False).to_numpy().tobytes())
    return digest.hexdigest()[:16]


def of_state(place: str, state: Mapping[str, Any]) -> str:
    """The seal of nested mappings and lists of tensors and plain values: a checkpoint."""
    digest = hashlib.sha256(place.encode())
    _add(digest, state)
    return f"{place} {digest.hexdigest()[:16]}"


def _add(digest: Any, value: Any) -> None:
    import torch

    if isinstance(value, torch.Tensor):
        digest.update(f"{tuple(value.shape)}{value.dtype}".encode())
        digest.update(value.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    elif isinstance(value, Mapping):
        for name, each in value.items():
            digest.update(f"{name!r}:".encode())
            _add(digest, each)
    elif isinstance(value, list | tuple):
        digest.update(f"{len(value)}[".encode())
        for each in value:
            _add(digest, each)
    else:
        digest.update(repr(value).encode())
