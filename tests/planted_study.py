"""The planted SAE on its words as the chapters study it, computed once a run of the tests."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import torch
from tests.planted_model import GAIN, planted
from tests.planted_model import planted_engine as engine

from absorption import definitions, one_sae
from absorption.definitions.rules import RELATIVE
from absorption.definitions.thresholds import Thresholds
from absorption.one_sae.study import Study
from absorption.one_sae.words import StudyWords
from absorption.probes.fit import ProbeSet
from absorption.probes.words import ProbedWords

THRESHOLDS = Thresholds(max_candidates=100)


@cache
def words() -> StudyWords:
    """Every second word is a test word; the probes are the letters' own features, cut at one half."""
    truth = planted()
    split = np.where(np.arange(len(truth.words)) % 2 == 0, "test", "train")
    probes = ProbeSet(weights=truth.directions, biases=torch.full((26,), -0.5))
    return StudyWords(
        truth.model,
        truth.prompts,
        ProbedWords(truth.words.assign(split=split), truth.features, probes),
        seed=0,
    )


@cache
def mine() -> Study:
    return one_sae.study_saes(words(), [planted().sae])[0]


@cache
def true_evidence() -> definitions.Evidence:
    return mine().evidence_under(planted().main_latents())


@cache
def judged() -> pd.DataFrame:
    return definitions.apply_definitions(engine(), true_evidence(), THRESHOLDS, mean_metric=GAIN)


@cache
def found() -> pd.DataFrame:
    return definitions.absorbed_words(engine(), true_evidence(), judged(), RELATIVE)
