"""A stand-in for the Hugging Face hub on this machine: files of repositories over HTTP, with the hub's own headers."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

COMMIT = "a" * 40
PAUSE = time.sleep
"""Kept here: tests take the waiting out of the client's tries."""


@dataclass
class Hub:
    """What the stand-in serves, and how it misbehaves."""

    root: Path
    """Repositories are its subfolders ``owner/name``."""
    address: str = ""
    gated: dict[str, int] = field(default_factory=dict)
    """Repositories that are refused, with the status: 401 without a token, 403 with one."""
    cut_after: dict[str, int] = field(default_factory=dict)
    """Files of which no byte beyond this is sent."""
    cuts: int = 1_000
    """How often it does so."""
    statuses: dict[str, int] = field(default_factory=dict)
    """Files that are answered with a status alone: 429, 500; 302 leads back to the same address."""
    claims: dict[str, int] = field(default_factory=dict)
    """Files of which a length is stated that is not theirs."""
    altered: dict[str, bytes] = field(default_factory=dict)
    """Files that are sent with another content than the one whose hash is stated."""
    drip: float = 0.0
    """Seconds between two bytes of a body."""
    commits: list[str] = field(default_factory=list)
    """Revisions of ``main``, one an answer; the last one stays. A file of an older one is no longer ``main``'s."""
    asked: list[tuple[str, int]] = field(default_factory=list)
    """Files sent, each with the byte that it was asked from."""


@contextmanager
def serve(hub: Hub) -> Iterator[Hub]:
    """Serve until the block ends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(hub))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    hub.address = "http:" + f"//127.0.0.1:{server.server_port}"
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=5)


def _handler(hub: Hub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_HEAD(self) -> None:
            self._answer(send=False)

        def do_GET(self) -> None:
            self._answer(send=True)

        def _answer(self, send: bool) -> None:
            if self.path.startswith("/api/models/"):
                return self._about()
            repo, _, rest = self.path.strip("/").partition("/resolve/")
            name = rest.partition("/")[2]
            path = hub.root / repo / name
            if status := hub.gated.get(repo):
                return self._refuse(status, "GatedRepo")
            if not (hub.root / repo).is_dir():
                return self._refuse(404, "RepoNotFound")
            if not path.is_file():
                return self._refuse(404, "EntryNotFound")
            if status := hub.statuses.get(path.name):
                return self._refuse(status, "")
            asked = rest.partition("/")[0]
            commit = asked if len(asked) == 40 else (hub.commits or [COMMIT])[0]
            if len(hub.commits) > 1:
                hub.commits.pop(0)
            older = path.with_name(f"{path.name}.{commit}")
            self._send(older if older.exists() else path, send, commit, path.name)

        def _about(self) -> None:
            """Which folders a repository has is asked for before a tokenizer is loaded: none that is asked for."""
            repo = "/".join(self.path.split("/")[3:5])
            there = (hub.root / repo).is_dir()
            self._refuse(404, "EntryNotFound" if there else "RepoNotFound")

        def _refuse(self, status: int, code: str) -> None:
            self.send_response(status)
            if code:
                self.send_header("X-Error-Code", code)
                self.send_header("X-Error-Message", code)
            if status == 302:
                self.send_header("Location", self.path)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def _send(self, path: Path, send: bool, commit: str, name: str) -> None:
            whole = path.read_bytes()
            stated = hashlib.sha256(whole).hexdigest()
            whole = hub.altered.get(name, whole)
            start = int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").split("-")[0])
            self.send_response(206 if start else 200)
            self.send_header("X-Repo-Commit", commit)
            self.send_header("ETag", f'"{stated}"')
            self.send_header("Content-Length", str(hub.claims.get(name, len(whole)) - start))
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(whole) - 1}/{len(whole)}")
            self.end_headers()
            if send:
                hub.asked.append((name, start))
                end = len(whole)
                if name in hub.cut_after and hub.cuts > 0:
                    end, hub.cuts = hub.cut_after[name], hub.cuts - 1
                self._body(whole[start : max(start, end)])
                self.close_connection = True

        def _body(self, content: bytes) -> None:
            if not hub.drip:
                self.wfile.write(content)
                return
            with suppress(OSError):  # whoever asked has lost patience
                for place in range(len(content)):
                    self.wfile.write(content[place : place + 1])
                    self.wfile.flush()
                    PAUSE(hub.drip)

    return Handler
