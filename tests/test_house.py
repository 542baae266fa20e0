"""The house around the library: one set of pins, a lint of the citation, and nothing that points nowhere."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from datetime import date
from importlib import metadata
from pathlib import Path
from urllib.parse import urlsplit

import jsonschema
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.version import Version

from absorption.base import repository
from absorption.runner import book, stage

ROOT = repository.root()
PAPER = "2409.14507"
VENDORED = "book/_static/mathjax/"
"""Files of others, kept as they are."""
HOSTS = {
    "arxiv.org",
    "creativecommons.org",
    "doi.org",
    "github.com",
    "huggingface.co",
    "json-schema.org",
    "mybinder.org",
    "openreview.net",
    "pytorch.org",
    "transformer-circuits.pub",
    "www.apache.org",
    "www.w3.org",
}
"""Public places that the project may link to; any other address would be invented or private."""
GITHUB_OWNERS = {"decoderesearch", "TransformerLensOrg", "owner"}
"""``owner`` stands for any owner in tests."""
PREFERRED = "preferred-citation"
CITATION_SCHEMA = {
    "type": "object",
    "required": ["cff-version", "message", "title", "type", "authors", "version", "license", PREFERRED],
    "properties": {
        "cff-version": {"const": "1.2.0"},
        "type": {"enum": ["software", "dataset"]},
        "authors": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/author"}},
        PREFERRED: {
            "type": "object",
            "required": ["type", "title", "authors", "year", "url"],
            "properties": {
                "year": {"type": "integer"},
                "authors": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/author"}},
            },
        },
    },
    "$defs": {
        "author": {
            "anyOf": [
                {"required": ["family-names", "given-names"]},
                {"required": ["name"]},
            ],
        }
    },
}
"""The part of the Citation File Format's schema that this project uses."""


def lock() -> list[str]:
    return (ROOT / "requirements.lock").read_text().splitlines()


def pins() -> dict[str, str]:
    return dict(line.lower().replace("_", "-").split("==") for line in lock())


def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def citation() -> dict:
    return yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))


def own_texts() -> dict[str, str]:
    """Text of every file under version control that is ours, by its path."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode != 0:
        pytest.skip("this copy of the project is not a git clone, so its own files cannot be told apart")
    texts = {}
    for name in listed.stdout.split("\0"):
        if name and not name.startswith(VENDORED) and (ROOT / name).is_file():
            try:
                texts[name] = (ROOT / name).read_text(encoding="utf-8")
            except UnicodeDecodeError:
                continue  # weights and other binary files
    return texts


def test_the_lock_is_exact_pins_each_named_once() -> None:
    assert {"torch", "sae-lens", "transformers"} <= set(pins())
    for line in lock():
        assert re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.]*", line), line
    assert len(pins()) == len(lock())


def test_the_lock_serves_machines_without_a_gpu_of_one_maker() -> None:
    assert pins()["torch"] == "2.13.0"
    assert not [name for name in pins() if name.startswith(("nvidia", "cuda", "triton"))]


def test_the_conda_environment_has_the_pins_of_the_lock() -> None:
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    conda, pip = environment["dependencies"][:-1], environment["dependencies"][-1]["pip"]
    assert conda == ["python=3.11", "pip"]
    assert pip == [*lock(), "-e ."]


def test_the_lock_satisfies_what_the_project_asks_for() -> None:
    wanted = project()["dependencies"] + project()["optional-dependencies"]["dev"]
    assert len(wanted) > 10
    for requirement in map(Requirement, wanted):
        pinned = pins()[requirement.name.lower().replace("_", "-")]
        assert requirement.specifier.contains(Version(pinned), prereleases=True), requirement


def test_the_environment_that_runs_the_tests_is_the_locked_one() -> None:
    differing = {
        name: (version, installed)
        for name, version in pins().items()
        if (installed := Version(metadata.version(name)).public) != Version(version).public
    }
    assert not differing, f"pinned and installed differ: {differing}"


def test_the_citation_file_is_valid_and_agrees_with_the_project() -> None:
    jsonschema.validate(citation(), CITATION_SCHEMA)
    assert citation()["version"] == project()["version"]
    assert citation()["license"] == project()["license"] == "MIT"
    assert (ROOT / "LICENSE").read_text().startswith("MIT License")


def test_the_citation_file_names_the_paper_and_no_invented_person() -> None:
    paper = citation()[PREFERRED]
    assert paper["url"] == f"https://arxiv.org/abs/{PAPER}"
    families = [author["family-names"] for author in paper["authors"]]
    assert families == ["Chanin", "Wilken-Smith", "Dulka", "Bhatnagar", "Golechha", "Bloom"]
    assert citation()["authors"] == [{"name": "The absorption-book contributors"}]


def test_every_link_leads_to_a_public_place_that_exists() -> None:
    pattern = re.compile(r"https?://[^\s\"'<>`\\)\]}]+")
    # Where a dependency has its home is for its own makers to say.
    own = {name: text for name, text in own_texts().items() if not name.endswith("licences.csv")}
    links = [(name, address) for name, text in own.items() for address in pattern.findall(text)]
    assert {urlsplit(address).hostname for _, address in links} >= {"arxiv.org", "github.com"}
    for name, address in links:
        parts = urlsplit(address)
        assert parts.hostname in HOSTS, f"{name} links to {address}"
        if parts.hostname == "github.com":
            assert parts.path.split("/")[1] in GITHUB_OWNERS, f"{name} links to {address}"


def test_no_file_names_a_folder_of_somebodys_machine() -> None:
    machine = re.compile(r"(?<![\w.~/}-])/(?:home|Users|root|work|mnt|media)/[\w.]+")
    assert machine.search("see /ho" + "me/somebody/x")
    texts = own_texts()
    assert {"README.md", "Makefile", "lib/absorption/base/cache.py", "tests/test_house.py"} <= set(texts)
    for name, text in texts.items():
        found = machine.search(text)
        assert not found, f"{name} names {found.group() if found else ''}"


def test_the_repository_address_is_one_setting_and_not_invented() -> None:
    config = yaml.safe_load((ROOT / "_config.yml").read_text())
    address = config["repository"]["url"]
    assert address == "" or re.fullmatch(r"https?://[\w.-]+/[\w.-]+/[\w.-]+", address)
    assert "urls" not in project()
    assert "repository-code" not in citation()


def test_every_page_of_the_table_of_contents_exists_and_every_prose_page_is_in_it() -> None:
    listed = stage.toc_pages(ROOT)
    assert len(set(listed)) == len(listed) > 10
    files = [*(ROOT / "book").glob("*.md"), *(ROOT / "notebooks").glob("*.ipynb")]
    sources = {f"{path.parent.name}/{path.stem}" for path in files} | set(stage.MADE)
    assert [f"notebooks/{Path(name).name}" for name in book.toc_notebooks(ROOT)] == [
        page for page in listed if page.startswith("notebooks/")
    ]
    assert not [page for page in listed if page not in sources]
    assert {f"book/{path.stem}" for path in (ROOT / "book").glob("*.md")} <= set(listed)


def test_no_page_is_named_by_digits_alone() -> None:
    names = [Path(page).name for page in stage.toc_pages(ROOT)]
    assert names
    assert not [name for name in names if name.isdigit()]


def test_prose_types_no_result() -> None:
    result = re.compile(r"(?<![\w.])\d*\.\d+(?![\w.])|\b\d+(?:\.\d+)?\s?%")
    stated = {"95%": "the coverage of every interval in the book, not a result"}
    assert result.findall("an F1 of .81 on 12% of 0.5 words") == [".81", "12%", "0.5"]
    pages = list((ROOT / "book").glob("*.md"))
    assert len(pages) >= 3
    for page in pages:
        text = re.sub(r"```.*?```|`[^`]*`|\([Ss]ection [\d., and]+\)", "", page.read_text(), flags=re.DOTALL)
        found = [number for number in result.findall(text) if number not in stated]
        assert not found, f"{page.name} types {found}"


def test_references_name_the_paper_that_they_link_to() -> None:
    text = (ROOT / "book" / "references.bib").read_text(encoding="utf-8")
    entries = re.split(r"\n(?=@)", text)
    assert len(entries) > 5
    assert any(PAPER in entry for entry in entries)
    for entry in entries:
        year = re.search(r"year\s*=\s*\{(\d{4})\}", entry)
        assert year, entry
        assert 2000 < int(year.group(1)) <= date.today().year, entry
        identifiers = set(re.findall(r"(?:arXiv:|arxiv\.org/abs/)(\d{4}\.\d{5})", entry))
        assert len(identifiers) <= 1, f"two arXiv numbers in one entry: {entry}"


def test_the_pipeline_runs_the_tests_and_then_the_book_from_an_empty_cache() -> None:
    script = (ROOT / ".ci" / "run").read_text()
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111
    assert re.findall(r"^step (\w+)$", script, flags=re.MULTILINE)[-2:] == ["test", "book"]
    assert 'export ABSORPTION_CACHE="$PWD/_cache"\nrm -rf "$ABSORPTION_CACHE"' in script


@pytest.mark.parametrize("apt_get", ["", "exit 1"], ids=["none", "one that fails"])
def test_the_pipeline_goes_on_where_no_browser_can_be_installed(apt_get: str, tmp_path: Path) -> None:
    tools = {"make": "echo made $2", "id": "echo 0", "timeout": 'shift; "$@"', "apt-get": apt_get}
    for name, does in tools.items():
        if does:
            (tmp_path / name).write_text(f"#!/bin/sh\n{does}\n")
            (tmp_path / name).chmod(0o755)
    for name in ("sh", "rm", "date", "dirname"):
        (tmp_path / name).symlink_to(str(shutil.which(name)))
    clone = tmp_path / "clone" / ".ci"
    clone.mkdir(parents=True)
    shutil.copy(ROOT / ".ci" / "run", clone)
    found = subprocess.run(
        [clone / "run"], env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=True
    )
    assert "== no Chromium" in found.stdout
    assert re.findall(r"^made (\w+)$", found.stdout, flags=re.MULTILINE) == ["env", "test", "book"]


def test_workflows_run_make_targets_only_and_those_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    commands = [
        (path.name, step["run"])
        for path in (ROOT / ".github" / "workflows").glob("*.yml")
        for job in yaml.safe_load(path.read_text())["jobs"].values()
        for step in job["steps"]
        if "run" in step
    ]
    assert {"make test", "make book"} <= {command for _, command in commands}
    for name, command in commands:
        assert re.fullmatch(r"make [a-z-]+", command), f"{name} runs {command!r}"
        assert command.removeprefix("make ") in targets


def test_links_between_pages_name_no_heading_since_headings_have_no_address_in_the_book() -> None:
    pages = [*(ROOT / "notebooks").glob("*.ipynb"), *(ROOT / "book").glob("*.md")]
    assert len(pages) > 20
    for page in pages:
        assert not re.findall(r"\]\([^)\s]*\.(?:md|ipynb)#[^)]*\)", page.read_text(encoding="utf-8")), page
