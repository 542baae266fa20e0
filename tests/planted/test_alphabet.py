"""The planted alphabet is what it says, and the definitions say of it what was planted."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from tests.settings_of import settings_of

from absorption.chapters import is_the_metric_right as metric
from absorption.chapters.is_the_metric_right.found import _said
from absorption.chapters.settings import PlantedMetricSettings
from absorption.definitions.rules import ABLATION, FRACTION, FULL_ABSORPTION
from absorption.definitions.thresholds import Thresholds
from absorption.planted import saes, study
from absorption.planted.alphabet import FAINT, Alphabet
from absorption.planted.cases import CASES, cases, four_word_families
from absorption.planted.linear_model import GAIN, LinearModel
from absorption.planted.study import scores, study_case

SMALL = Alphabet(n_words=60, families=(3, 3, 2, 2), d_model=220)


def test_every_word_has_its_letter_its_family_and_one_case() -> None:
    words, features = SMALL.words, SMALL.features
    assert len(words) == 26 * 60
    letter_of = features[:, :26].argmax(dim=1)
    assert [("abcdefghijklmnopqrstuvwxyz")[i] for i in letter_of] == words["letter"].tolist()
    assert (features[:, :26] > 0).sum(dim=1).eq(1).all()
    families = features[:, 26 : 26 + 26 * 4]
    assert (families > 0).sum(dim=1).tolist() == (words["family"] >= 0).astype(int).tolist()
    assert families[families > 0].eq(SMALL.strength).all()
    cases = features[:, [SMALL.case(True), SMALL.case(False)]]
    assert cases.sum(dim=1).eq(1).all()
    assert words.loc[words["letter"] == "a"].groupby("family").size().tolist() == [50, 3, 3, 2, 2]


def test_readers_read_each_feature_and_nothing_else() -> None:
    read = SMALL.acts @ SMALL.readers.T
    assert torch.allclose(read, SMALL.features, atol=1e-4)
    overlap = (SMALL.directions @ SMALL.directions.T).fill_diagonal_(0)
    assert overlap.abs().max() > 0.1  # features overlap, so this is no accident of orthogonality


def test_faint_words_are_as_many_as_asked_for() -> None:
    alphabet = replace(SMALL, faint_share=0.2)
    faint = alphabet.words["faint"].to_numpy()
    assert faint.mean() == pytest.approx(0.2)
    size = alphabet.features[:, :26].amax(dim=1).numpy()
    assert np.allclose(size[faint], FAINT)
    assert size[~faint].min() > 0.5


def test_the_upper_share_is_that_of_words_without_a_family() -> None:
    words = replace(SMALL, upper_share=0.9).words
    assert words.loc[words["family"] < 0, "upper"].mean() == pytest.approx(0.9)


def test_alphabets_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="20 words a letter"):
        Alphabet(n_words=20, families=(15, 15))
    with pytest.raises(ValueError, match="64 dimensions"):
        Alphabet(d_model=64)


def test_the_true_dictionary_reconstructs_every_word() -> None:
    sae = saes.absorbing(SMALL, 0.0).sae()
    assert torch.allclose(sae.reconstruct(SMALL.acts), SMALL.acts, atol=0.05)


@pytest.mark.parametrize("d", [0.0, 0.4, 1.0])
def test_a_family_carries_the_share_that_was_planted(d: float) -> None:
    case = saes.absorbing(SMALL, d)
    sae = case.sae()
    acts = sae.encode(SMALL.acts)
    written = acts @ (sae.W_dec @ SMALL.readers[:26].T)  # along each letter, without crosstalk
    own = torch.tensor([latent.role == "letter" for latent in case.latents])
    by_others = acts[:, ~own] @ (sae.W_dec[~own] @ SMALL.readers[:26].T)
    absorbed = torch.from_numpy(SMALL.words["family"].isin([0, 1]).to_numpy())
    letters = torch.arange(len(acts)) // SMALL.n_words
    mine = by_others.gather(1, letters[:, None])[:, 0]
    assert torch.allclose(mine[absorbed], torch.full((int(absorbed.sum()),), d), atol=0.01)
    assert mine[~absorbed].abs().max() < 0.01
    assert written.gather(1, letters[:, None]).min() > 0.5
    assert np.array_equal(case.truth(), np.where(absorbed, d, 0.0))


def test_removing_a_latent_costs_the_letter_that_it_writes() -> None:
    studied = study_case(saes.absorbing(SMALL, 1.0, hole=1.5))
    roles = np.array([latent.role for latent in studied.case.latents])
    effects = studied.effects.assign(role=roles[studied.effects["latent"]])
    absorbed = SMALL.words["family"].isin([0, 1]).to_numpy()[effects["word"]]
    family = effects[effects["role"] == "family"]
    inside = absorbed[family.index]
    assert family.loc[inside, "effect"].to_numpy() == pytest.approx(-GAIN, abs=0.05)
    assert family.loc[~inside, "effect"].abs().max() < 0.01
    others = effects[~effects["role"].isin(["family", "letter"])]
    assert others["effect"].abs().max() < 0.01
    assert effects["metric"].mean() == pytest.approx(GAIN, rel=0.05)


def test_the_metric_is_the_right_logit_minus_the_mean_of_the_others() -> None:
    reader = LinearModel(SMALL, saes.absorbing(SMALL, 0.0).sae())
    words = torch.tensor([0, 60])
    by_hand = GAIN * torch.stack([SMALL.features[0, 0], SMALL.features[60, 1]])
    assert torch.allclose(reader.metrics(words, reader.states(words)), by_hand, atol=1e-3)


def verdicts(case: saes.Case) -> dict[str, float]:
    """Share of the planted absorbed words (or of all, where there are none) that each definition calls absorbed."""
    table = study_case(case).apply_definitions()
    part = table[table["truth"]] if table["truth"].any() else table
    return {str(name): float(mine["absorbed"].mean()) for name, mine in part.groupby("definition")}


def test_nothing_is_called_absorbed_in_the_true_dictionary_or_an_even_split() -> None:
    for case in (saes.absorbing(SMALL, 0.0), saes.split(SMALL)):
        assert verdicts(case) == {ABLATION: 0, FULL_ABSORPTION: 0, FRACTION: 0}


def test_full_absorption_is_found_by_all() -> None:
    families = replace(SMALL, n_words=100, families=(3, 3, 3, 3))
    found = verdicts(saes.absorbing(families, 1.0, hole=1.5))
    assert min(found.values()) > 0.8


def test_only_the_fraction_sees_half_absorption_and_only_ablation_misses_twins() -> None:
    families = replace(SMALL, n_words=100, families=(3, 3, 3, 3))
    half = verdicts(saes.absorbing(families, 0.5))
    assert half[FRACTION] > 0.8
    assert half[ABLATION] == half[FULL_ABSORPTION] == 0
    twins = verdicts(saes.absorbing(families, 1.0, hole=1.5, twins=True))
    assert twins[ABLATION] == 0
    assert min(twins[FULL_ABSORPTION], twins[FRACTION]) > 0.8


def test_an_absorbing_latent_of_many_words_becomes_a_main_latent_and_hides() -> None:
    many = replace(SMALL, families=(12, 12, 2, 2))
    studied = study_case(saes.absorbing(many, 1.0, hole=1.5))
    assert np.mean([len(main) for main in studied.ksparse.main_latents().values()]) > 2.5
    judged_words = studied.apply_definitions()
    assert judged_words[judged_words["truth"]]["absorbed"].mean() < 0.2


def test_hedging_takes_every_definition_in() -> None:
    table = scores(study_case(saes.merged(SMALL)).apply_definitions())
    assert (table["n_true"] == 0).all()
    assert (table["false_rate_low"] > 0).all()


def test_a_lower_threshold_finds_no_less() -> None:
    studied = study_case(saes.absorbing(SMALL, 1.0, hole=1.5))
    found = [
        studied.apply_definitions(replace(Thresholds(), min_lead=lead), definitions=[ABLATION])[
            "absorbed"
        ].sum()
        for lead in (0.5, 1.0, 7.0)
    ]
    assert found[0] >= found[1] > found[2] == 0


def test_scores_are_precision_and_recall_by_hand() -> None:
    table = pd.DataFrame(
        {
            "case": "c", "definition": "d", "letter": list("aabb"), "absorbed": [True, False, True, False],
            "truth": [True, True, False, False],
        }
    )  # fmt: skip
    row = scores(table).iloc[0]
    assert (row["precision"], row["recall"], row["false_rate"]) == (0.5, 0.5, 0.5)
    assert row["recall_low"] <= row["recall"] <= row["recall_high"]
    nothing = scores(table.assign(absorbed=False, truth=False)).iloc[0]
    assert nothing[["precision", "recall"]].isna().all()
    assert nothing["false_rate"] == 0


def test_the_same_seed_gives_the_same_verdicts() -> None:
    case = saes.absorbing(SMALL, 1.0)
    first, second = study_case(case, seed=3).apply_definitions(), study_case(case, seed=3).apply_definitions()
    pd.testing.assert_frame_equal(first, second)


def test_the_chapters_cases_and_sweeps_cover_what_they_name() -> None:
    few = settings_of(
        PlantedMetricSettings,
        n_words=60,
        d_model=220,
        carried=[1.0],
        family_shares=[0.05],
        strengths=[2.0],
        small_halves=[0.5],
    )
    assert [case.name for case in cases(four_word_families(60, 220))] == list(CASES)
    table = metric.case_table(few)
    assert (table["absorbed"] > 0).tolist() == [False] * 5 + [True] * 5
    swept = metric.sweep(few).table
    assert set(swept["factor"]) == set(metric.PANELS)
    assert set(swept["definition"]) == set(study.DEFINITIONS)


def test_what_may_be_claimed_follows_from_the_scores() -> None:
    base = {"n_true": 10, "recall": 0.9, "false_rate_low": 0.0}
    assert _said(base) == "finds it"
    assert _said({**base, "recall": 0.1}) == "misses it"
    assert _said({**base, "recall": 0.5, "false_rate_low": 0.2}) == "finds a part, fooled"
    assert _said({**base, "n_true": 0, "false_rate_low": 0.2}) == "fooled"
    assert _said({**base, "n_true": 0}) == "right"
