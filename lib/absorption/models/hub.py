"""The Hugging Face hub's refusals, each told as what to do about it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from absorption.base.cache import file_sha256
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
    if said := _of_status(error):
        return said
    if type(error).__name__ == "TooManyRedirects":
        return "the hub's address leads in a circle. Look at HF_ENDPOINT, and at the proxy if there is one."
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
    from huggingface_hub import errors

    inside = "" if subfolder in ("", ".") else f"{subfolder.strip('/')}/"
    refused: list[errors.EntryNotFoundError] = []
    for names in alternatives:
        try:
            first = _whole(repo, inside + names[0])
            for name in names[1:]:  # all of one revision, also if the repository changes meanwhile
                _whole(repo, inside + name, revision_of(first) or None)
            return first.parent
        except errors.LocalEntryNotFoundError:
            raise
        except errors.EntryNotFoundError as error:
            refused.append(error)
    raise refused[0]


def revision_of(path: Path) -> str:
    """The commit of a file or folder in the hub's cache; empty for one that lies elsewhere."""
    found = re.search(r"/snapshots/([0-9a-f]{40})(?:/|$)", path.as_posix())
    return found[1] if found else ""


def cached_revision(repo: str) -> str:
    """The commit that ``main`` of a repository had when it was last asked for; empty for what is no repository of the
    hub's cache."""
    from huggingface_hub import constants
    from huggingface_hub.file_download import repo_folder_name

    if not re.fullmatch(r"[\w.-]+/[\w.-]+", repo):
        return ""
    folder = repo_folder_name(repo_id=repo, repo_type="model")
    asked = Path(constants.HF_HUB_CACHE) / folder / "refs" / "main"
    found = asked.read_text(encoding="utf-8").strip() if asked.is_file() else ""
    return found if re.fullmatch("[0-9a-f]{40}", found) else ""


def _whole(repo: str, name: str, revision: str | None = None) -> Path:
    """A file of the hub's cache; one that is not what its name there says is fetched again, once."""
    from huggingface_hub import hf_hub_download

    for again in (False, True):
        path = Path(hf_hub_download(repo, name, revision=revision, force_download=again))
        if _is_whole(path):
            return path
    raise OSError(
        f"the download of {name!r} from {repo} is not the file that the hub names; run the same again."
    )


def _is_whole(path: Path) -> bool:
    """The cache calls a large file by its SHA-256, a small one by git's hash."""
    blob = path.resolve()
    if re.fullmatch("[0-9a-f]{64}", blob.name):
        return file_sha256(blob) == blob.name
    if re.fullmatch("[0-9a-f]{40}", blob.name):
        content = blob.read_bytes()
        return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest() == blob.name
    return True


def _of_status(error: BaseException) -> str:
    """What the hub, or what stands before it, means by a status; empty for others."""
    status = _status(error)
    if status == 429:
        return "the hub takes no more requests from here for now (429). Wait some minutes, or set HF_TOKEN."
    if status in (401, 403):
        return f"the hub refuses it ({status}). Set HF_TOKEN to a token that may read it."
    return f"the hub has a fault of its own ({status}). Try again later." if 500 <= status < 600 else ""
