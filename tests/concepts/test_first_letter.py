"""First letter through the general path is first letter: the same words, prompts, latents, labels and rates."""

from pathlib import Path

import pandas as pd
import pytest
import torch
from tests.planted_model import planted

from absorption.base.statistics import Estimate
from absorption.concepts import concept as concepts
from absorption.concepts import measure
from absorption.concepts.concept import shipped
from absorption.concepts.measure import Skill, prepare, skill_of
from absorption.definitions.rules import RELATIVE
from absorption.definitions.thresholds import Thresholds
from absorption.models.language_model import LanguageModel
from absorption.one_sae.study import Study, study_saes
from absorption.one_sae.summary import Absorption, measure_absorption
from absorption.one_sae.words import StudyWords, prepare_words
from absorption.probes.fit import ProbeSet
from absorption.probes.words import ProbedWords
from absorption.spelling.answers import Answers
from absorption.spelling.prompts import SpellingPrompts, make_prompts
from absorption.spelling.vocab import LETTERS

THRESHOLDS = Thresholds(max_candidates=2)
Z = ProbeSet(torch.zeros(26, 2), torch.zeros(26))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache."""
    monkeypatch.setenv("ABSORPTION_CACHE", str(tmp_path))
    return tmp_path


def measured(study: Study) -> Absorption:
    return measure_absorption(
        study, THRESHOLDS, scale_words=30, probe="converged", null_candidates=1, centred=True
    )


def test_the_general_path_gives_first_letters_label_for_label() -> None:
    truth = planted()
    words = truth.words
    first = shipped(concepts.FIRST, words)
    general = prepare(truth.model, truth.sae, first, n_words=0, f1_jump=0.03)
    prepared = prepare_words(truth.model, truth.sae.hook_name, vocabulary=words, test_share=first.test_share)
    special = study_saes(prepared, [truth.sae])[0]
    assert first.labels == LETTERS
    assert general.words.prompts.answer_ids.tolist() == special.words.prompts.answer_ids.tolist()
    assert general.words.prompts.prefixes.tolist() == special.words.prompts.prefixes.tolist()
    assert general.main == special.main
    mine, theirs = measured(general), measured(special)
    assert (mine.judged["definition"] == RELATIVE).any()
    assert mine.judged["absorbed"].any()
    pd.testing.assert_frame_equal(mine.judged, theirs.judged)
    pd.testing.assert_frame_equal(mine.rates, theirs.rates)


@pytest.mark.parametrize(
    ("low", "chance", "able"),
    [(0.45, 0.2, True), (0.27, 0.2, False), (0.3, 1 / 3, False), (0.15, 1 / 26, True)],
)
def test_a_model_is_able_if_the_whole_interval_is_well_above_chance(
    low: float, chance: float, able: bool
) -> None:
    assert Skill(Estimate(low + 0.1, low, low + 0.2), chance).able == able


def test_skill_asks_as_many_words_of_each_label(monkeypatch: pytest.MonkeyPatch) -> None:
    truth = planted()
    table = pd.concat([truth.words.iloc[: len(truth.words) // 2], truth.words.iloc[-4:]], ignore_index=True)
    words = StudyWords(
        truth.model, make_prompts(truth.model, table), ProbedWords(table, truth.features, Z), seed=0
    )
    asked: list[torch.Tensor] = []

    def half_right(_model: LanguageModel, prompts: SpellingPrompts, index: torch.Tensor) -> Answers:
        asked.append(prompts.letters[index])
        said = torch.where(prompts.letters[index] < 6, prompts.letters[index], 25)
        return Answers(torch.nn.functional.one_hot(said, 26).float(), said)

    monkeypatch.setattr(measure, "ask", half_right)
    skill = skill_of(words, n_words=52)
    counts = asked[0].bincount()
    assert set(counts[counts > 0].tolist()) == {2}
    labels = counts.nonzero()[:, 0]
    assert skill.accuracy.value == pytest.approx(float(((labels < 6) | (labels == 25)).float().mean()))
    assert skill.chance == pytest.approx(1 / 26)
