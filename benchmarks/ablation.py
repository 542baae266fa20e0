"""The benchmark of the ablation engine on the embedded model, a shipped SAE and the chapters' words."""

from __future__ import annotations

import torch

from absorption.ablation.bench import race
from absorption.ablation.engine import AblationEngine
from absorption.base.settings import DEFAULT_SAE
from absorption.latents.main import K_SPARSE
from absorption.models.language_model import load_model
from absorption.one_sae.study import study_saes
from absorption.one_sae.words import prepare_words
from absorption.saes.loader import load_sae
from absorption.saes.shipped import SHIPPED

N_CONTEST = 208


def measure(n_words: int = 0, n_contest: int = N_CONTEST) -> dict[str, float]:
    """Times of the ablation engine against its rivals; keys as in ``ablation.bench.race``.

    The words are candidates as the paper has them: the probe gets them, and all main latents, by L1 k-sparse
    probing, are off. The label uses the lead on the model's own scale, the smaller one: it is the one that
    takes more passes.

    Args:
        n_words: words that the probes are fitted on and candidates drawn from; 0: the whole vocabulary.
        n_contest: candidates ablated; fewer if there are not as many.
    """
    model = load_model()
    sae = load_sae(SHIPPED, DEFAULT_SAE, model)
    words = prepare_words(model, sae.hook_name, n_words=n_words)
    (study,) = study_saes(words, [sae])
    evidence = study.evidence()
    candidates = evidence.words[torch.from_numpy(evidence.main_off)]
    order = torch.randperm(len(candidates), generator=torch.Generator().manual_seed(0))[:n_contest]
    engine = AblationEngine(model, sae, words.prompts)
    return race(engine, study.contest(K_SPARSE, candidates[order]))
