"""YAML of strangers: plain values only, and no file that is small on disk and huge in memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

MOST_BYTES = 200_000
MOST_ALIASES = 20
"""Uses of anchors (``*name``) in one file: a few of them, each of the one before, multiply."""
MOST_LEVELS = 20
"""Lists and mappings inside each other."""


class Refused(yaml.YAMLError):
    """YAML that is not read; one line says why."""


class _Loader(yaml.SafeLoader):
    """Counts aliases and levels while the text is parsed, before anything is made of it."""

    aliases = 0
    levels = 0

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.unfinished: list[str] = []

    def compose_node(self, parent: Any, index: Any) -> Any:
        event: Any = self.peek_event()
        if isinstance(event, yaml.AliasEvent):
            self.aliases += 1
            if self.aliases > MOST_ALIASES:
                raise Refused(f"more than {MOST_ALIASES} aliases (*name).")
            if event.anchor in self.unfinished:
                raise Refused(f"&{event.anchor} holds itself.")
        self.levels += 1
        if self.levels > MOST_LEVELS:
            raise Refused(f"lists and mappings more than {MOST_LEVELS} levels deep.")
        self.unfinished.append(event.anchor or "")
        node = super().compose_node(parent, index)
        self.unfinished.pop()
        self.levels -= 1
        return node


def load(text: str) -> Any:
    """The value of a YAML text.

    Raises:
        yaml.YAMLError: not YAML, a tag for anything but plain values, a value that none can be made of, or a text
            that is too long, too deep or has too many aliases.
    """
    if len(text) > MOST_BYTES:
        raise Refused(f"{len(text):,} characters; allowed: {MOST_BYTES:,}.")
    loader = _Loader(text)
    try:
        return loader.get_single_data()
    except yaml.YAMLError:
        raise
    except Exception as error:  # a date without such a day, a number too long to be read, ...
        raise Refused(f"{type(error).__name__}: {error}") from None
    finally:
        loader.dispose()


def read(path: Path) -> Any:
    """The value of a YAML file.

    Raises:
        OSError: it cannot be read.
        yaml.YAMLError: as ``load``; also for a file that is not UTF-8.
    """
    if path.stat().st_size > 4 * MOST_BYTES:
        raise Refused(f"{path.stat().st_size:,} bytes; allowed: {MOST_BYTES:,} characters.")
    try:
        return load(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise Refused(str(error)) from None
