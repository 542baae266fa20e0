"""A stand-in for the Hugging Face hub on this machine: files of repositories over HTTP, with the hub's own headers."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

COMMIT = "a" * 40


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
            repo, _, rest = self.path.strip("/").partition("/resolve/")
            name = rest.partition("/")[2]
            path = hub.root / repo / name
            if status := hub.gated.get(repo):
                return self._refuse(status, "GatedRepo")
            if not (hub.root / repo).is_dir():
                return self._refuse(404, "RepoNotFound")
            if not path.is_file():
                return self._refuse(404, "EntryNotFound")
            self._send(path, send)

        def _refuse(self, status: int, code: str) -> None:
            self.send_response(status)
            self.send_header("X-Error-Code", code)
            self.send_header("X-Error-Message", code)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def _send(self, path: Path, send: bool) -> None:
            whole = path.read_bytes()
            start = int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").split("-")[0])
            self.send_response(206 if start else 200)
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("ETag", f'"{hashlib.sha256(whole).hexdigest()}"')
            self.send_header("Content-Length", str(len(whole) - start))
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(whole) - 1}/{len(whole)}")
            self.end_headers()
            if send:
                hub.asked.append((path.name, start))
                end = len(whole)
                if path.name in hub.cut_after and hub.cuts > 0:
                    end, hub.cuts = hub.cut_after[path.name], hub.cuts - 1
                self.wfile.write(whole[start : max(start, end)])
                self.close_connection = True

    return Handler
