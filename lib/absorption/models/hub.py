"""The Hugging Face hub's refusals, each told as what to do about it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from absorption.base.reasons import first_line


def is_download(error: BaseException) -> bool:
    """Whether an error came of a download: from the hub, the network or the disk, not from what a file holds."""
    libraries = ("huggingface_hub", "httpx", "requests", "urllib3")
    return any(
        isinstance(cause, OSError) or type(cause).__module__.startswith(libraries)
        for cause in _causes(error)
        if not type(cause).__name__.startswith("StrictDataclass")  # the hub's, on what a config holds
    )


def explain(error: BaseException, repo: str) -> str:
    """One sentence or two on why a file of a repository did not come.

    Args:
        error: what was raised; libraries wrap the hub's own errors, so its causes are looked at as well.
        repo: ``owner/name``.
    """
    for cause in _causes(error):
        if said := _known(cause, repo):
            return said
    return first_line(error)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what it came from, outermost first."""
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        yield cause
        seen.add(id(cause))
        cause = cause.__cause__ or cause.__context__


def _known(error: BaseException, repo: str) -> str:
    from huggingface_hub import errors

    page = f"huggingface.co/{repo}"
    if isinstance(error, errors.GatedRepoError):
        if _status(error) == 403:
            return (
                f"{repo} is gated: accept the licence at the model's page, {page}, with your token's account."
            )
        return f"{repo} is gated: accept the licence at {page}, and set HF_TOKEN to your token."
    if isinstance(error, errors.LocalEntryNotFoundError):
        return ""  # the cause says why the hub was not reached
    if isinstance(error, errors.EntryNotFoundError):
        return f"{repo} has no file {_file(error)!r}."
    if isinstance(error, errors.RepositoryNotFoundError):
        return f"there is no repository {repo}, or it is private (then set HF_TOKEN)."
    if _was_cut(error):
        return (
            f"the download from {repo} was cut off, several times over. Run the same again: files that came whole "
            "are kept."
        )
    return ""


def _status(error: BaseException) -> int:
    return int(getattr(getattr(error, "response", None), "status_code", 0))


def _file(error: BaseException) -> str:
    """The path inside the repository, from the address that the error names."""
    found = re.search(r"/resolve/[^/\s]+/(\S+?)[.?]?(?:\s|$)", str(error))
    return found.group(1) if found else first_line(error)


def _was_cut(error: BaseException) -> bool:
    """A body that ended early: every HTTP library has its own name for that."""
    names = {kind.__name__ for kind in type(error).__mro__}
    if names & {"RemoteProtocolError", "ReadError", "IncompleteRead", "ChunkedEncodingError", "ReadTimeout"}:
        return True
    return "Consistency check failed" in str(error)


def fetch_folder(repo: str, subfolder: str, alternatives: Iterable[Sequence[str]]) -> Path:
    """Download files of a repository's folder: the first of several sets that is there whole.

    Args:
        repo: ``owner/name``.
        subfolder: inside the repository; empty or ``.``: its root.
        alternatives: file names of each set.

    Returns:
        The folder in the hub's cache.

    Raises:
        EntryNotFoundError: the hub's error for the first set, if none was found.
    """
    from huggingface_hub import errors, hf_hub_download

    inside = "" if subfolder in ("", ".") else f"{subfolder.strip('/')}/"
    refused: list[errors.EntryNotFoundError] = []
    for names in alternatives:
        try:
            paths = [Path(hf_hub_download(repo, inside + name)) for name in names]
            return paths[0].parent
        except errors.LocalEntryNotFoundError:
            raise
        except errors.EntryNotFoundError as error:
            refused.append(error)
    raise refused[0]
