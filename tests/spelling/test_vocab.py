"""Which tokens are words, how they are sampled, and how they are split."""

from __future__ import annotations

import pandas as pd
import pytest
from tests.planted_model import word_tokenizer
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import AutoTokenizer, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from absorption.models.embedded import embedded_folder
from absorption.spelling.vocab import LETTERS, load_vocab, sample_words, split_words, stems, variant_share

ENDINGS = ["ab", "eb", "ib", "ob", "ub", "ad", "ed", "id", "od", "ud"]


def _words(form: str = " {}", letters: tuple[str, ...] = LETTERS, n: int = 10) -> list[str]:
    return [form.format(letter + ending) for letter in letters for ending in ENDINGS[:n]]


@pytest.fixture(scope="module")
def embedded() -> PreTrainedTokenizerBase:
    """The embedded model's own tokenizer."""
    return AutoTokenizer.from_pretrained(embedded_folder())


def test_the_embedded_models_vocabulary_is_the_papers(embedded: PreTrainedTokenizerBase) -> None:
    assert len(load_vocab(embedded)) == 47_078
    kept = load_vocab(embedded, leading_space_only=True, min_letters=2)
    assert len(kept) == 31_534
    assert kept["word"].str.fullmatch(r" [A-Za-z]{2,}").all()


def test_a_word_of_the_embedded_vocabulary_is_its_token(embedded: PreTrainedTokenizerBase) -> None:
    words = load_vocab(embedded).iloc[::500]
    tokens = embedded.convert_ids_to_tokens(words["token_id"].tolist())
    assert words["word"].str.replace(" ", "Ġ").tolist() == tokens


def test_letters_with_an_optional_leading_space_are_words_and_nothing_else() -> None:
    good = [*_words(), "Bare", " Upper", "McX"]
    bad = ["ab1", " don't", "  two", " é", " naïve", "x y", "", " ", "_ab", " end "]
    found = load_vocab(word_tokenizer([*good, *bad]))["word"]
    template = {"a", " has", " the", " first", " letter"} | {f" {letter.upper()}" for letter in LETTERS}
    assert set(found) == {*good, *template}


def test_special_tokens_are_no_words_even_if_they_look_like_one() -> None:
    tokenizer = word_tokenizer([*_words(), " stop"])
    assert " stop" in set(load_vocab(tokenizer)["word"])
    tokenizer.add_special_tokens({"additional_special_tokens": [" stop"]})
    assert " stop" not in set(load_vocab(tokenizer)["word"])


def test_the_columns_describe_the_word() -> None:
    tokenizer = word_tokenizer([*_words(), " Apple", "apple"])
    table = load_vocab(tokenizer).set_index("word")
    columns = ["letter", "leading_space", "n_letters", "upper"]
    found = dict(zip(table.index, table[columns].itertuples(index=False, name=None), strict=True))
    assert found[" Apple"] == ("a", True, 5, True)
    assert found["apple"] == ("a", False, 5, False)
    assert table.loc[" Apple", "token_id"] == tokenizer.convert_tokens_to_ids(" Apple")
    assert table["token_id"].is_monotonic_increasing


def test_both_forms_count_unless_only_one_is_asked_for() -> None:
    tokenizer = word_tokenizer([*_words(), *_words("{}")])
    both = load_vocab(tokenizer, min_letters=3)
    spaced = load_vocab(tokenizer, min_letters=3, leading_space_only=True)
    assert set(both["word"]) - set(spaced["word"]) == set(_words("{}"))
    assert spaced["leading_space"].all()
    assert both["n_letters"].min() == 3


def test_a_sentencepiece_tokenizer_keeps_the_space_of_its_words() -> None:
    pieces = ["<unk>", "<s>", "▁", "a", "▁a", *_words("▁{}"), *_words("{}")]
    tokenizer = Tokenizer(models.WordLevel({p: i for i, p in enumerate(pieces)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="always")
    wrapped = PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>", bos_token="<s>")
    assert wrapped.decode(wrapped.convert_tokens_to_ids(["▁bab"])) == "bab"  # the trap: the space is lost
    table = load_vocab(wrapped).set_index("word")
    assert set(table.index) == {"a", " a", *_words(), *_words("{}")}
    assert table.loc[" bab", "token_id"] == pieces.index("▁bab")
    assert table.loc["bab", "token_id"] == pieces.index("bab")


def test_two_tokens_of_one_text_are_one_word() -> None:
    tokenizer = Tokenizer(
        models.WordLevel({p: i for i, p in enumerate(["<u>", "a", *_words(), "@ bab"])}, "<u>")
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r" ?[a-z]+"), behavior="isolated")
    tokenizer.decoder = decoders.Sequence([decoders.Replace("@", ""), decoders.Fuse()])
    table = load_vocab(PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<u>"))
    assert table["word"].is_unique
    assert table.loc[table["word"] == " bab", "token_id"].tolist() == [2 + _words().index(" bab")]


def test_too_few_words_name_the_letters_that_lack_them() -> None:
    words = [*_words(letters=tuple("abcdefghijklmnopqrstuvwy")), *_words(letters=("x",), n=3)]
    with pytest.raises(
        ValueError, match=r"at least 10 for every letter.*Too few: x \(3\), z \(0\)\.$"
    ) as caught:
        load_vocab(word_tokenizer(words), min_letters=2)
    assert len(str(caught.value).splitlines()) <= 2


def _uneven() -> pd.DataFrame:
    counts = {letter: 4 + 30 * number for number, letter in enumerate(LETTERS)}
    letters = [letter for letter, n in counts.items() for _ in range(n)]
    return pd.DataFrame({"letter": letters, "word": [f" {x}{i}" for i, x in enumerate(letters)]})


def test_the_split_takes_a_fifth_of_every_letter_for_the_test() -> None:
    table = _uneven()
    split = split_words(table, seed=0)
    assert split.index.equals(table.index)
    assert set(split) == {"train", "test"}
    tested = (split == "test").groupby(table["letter"]).agg(["sum", "count"])
    assert (abs(tested["sum"] - 0.2 * tested["count"]) <= 1).all()
    assert (split == "test").sum() == -(-len(table) // 5)
    half = split_words(table, seed=0, test_share=0.5)
    assert (half == "test").mean() == pytest.approx(0.5, abs=0.001)


def test_the_seed_fixes_split_and_sample() -> None:
    table = _uneven()
    assert split_words(table, 1).equals(split_words(table, 1))
    assert not split_words(table, 1).equals(split_words(table, 2))
    assert sample_words(table, 500, 1).equals(sample_words(table, 500, 1))
    assert not sample_words(table, 500, 1).equals(sample_words(table, 500, 2))


def test_a_sample_keeps_five_words_of_rare_letters_and_the_shares_of_the_others() -> None:
    table = _uneven()
    sample = sample_words(table, 1000, seed=0)
    had, kept = table["letter"].value_counts(), sample["letter"].value_counts()
    assert kept["a"] == had["a"] == 4
    for letter in LETTERS[1:]:
        assert kept[letter] == max(5, round(1000 * had[letter] / len(table)))
    assert sample["word"].is_unique
    assert sample.index.equals(pd.RangeIndex(len(sample)))
    assert sample["word"].map(table.set_index("word").index.get_loc).is_monotonic_increasing
    assert split_words(sample[sample["letter"] != "a"].reset_index(drop=True), seed=0).eq("test").any()


@pytest.mark.parametrize("n_words", [0, 10_000, 10_000_000])
def test_no_size_or_a_larger_one_keeps_every_word(n_words: int) -> None:
    table = _uneven()
    assert sample_words(table, n_words, seed=0).equals(table)


def _with_variants() -> pd.DataFrame:
    """Thirty stems a letter; every third has four case and space variants, far apart in the table."""
    bare = [f"{x}{a}{b}" for x in LETTERS for a in "aeiou" for b in "bdklmn"]
    variants = (
        [f" {w}" for w in bare[::3]]
        + [w.capitalize() for w in bare[::3]]
        + [f" {w.upper()}" for w in bare[::3]]
    )
    words = [*bare, *variants]
    return pd.DataFrame({"word": words, "letter": [w.strip()[0].lower() for w in words]})


def test_variants_of_a_word_have_one_stem() -> None:
    table = pd.DataFrame({"word": ["Short", " short", " SHORT", "short", "shorts"]})
    assert stems(table).tolist() == ["short"] * 4 + ["shorts"]


def test_split_by_stem_no_stem_is_on_both_sides_and_a_fifth_of_each_letter_is_tested() -> None:
    table = _with_variants()
    for seed in range(3):
        split = split_words(table, seed, by="stem")
        assert (split.groupby(stems(table)).nunique() == 1).all()
        tested = (split == "test").groupby([table["letter"], stems(table)]).first().groupby("letter").sum()
        assert (tested == 6).all()  # of thirty stems
        assert variant_share(table.assign(split=split)) == 0
    assert variant_share(table.assign(split=split_words(table, 0))) > 0.4
    assert split_words(table, 1, by="stem").equals(split_words(table, 1, by="stem"))
    assert not split_words(table, 1, by="stem").equals(split_words(table, 2, by="stem"))


def test_the_share_of_variants_by_hand() -> None:
    words = pd.DataFrame({"word": ["cat", " Cat", "dog", " dog", "cow"], "split": ["train", *["test"] * 4]})
    assert variant_share(words) == 0.25


def test_the_split_refuses_another_unit_and_letters_of_one_stem() -> None:
    table = _with_variants()
    with pytest.raises(ValueError, match="split is 'prefix'; allowed: 'word', 'stem'"):
        split_words(table, 0, by="prefix")
    alone = pd.DataFrame({"word": ["cat", " cat", "dog", "dig"], "letter": ["c", "c", "d", "d"]})
    with pytest.raises(ValueError, match="split is 'stem', but all words of c have one stem"):
        split_words(alone, 0, by="stem")
