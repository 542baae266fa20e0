"""The benchmark of the ablation engine on the default model, SAE and words."""

from __future__ import annotations

import torch

from absorption.ablation import AblationEngine
from absorption.ablation.bench import Contest, race
from absorption.activations import word_activations
from absorption.criteria.judge import model_scale
from absorption.criteria.subject import Subject, probed_right
from absorption.criteria.thresholds import Thresholds
from absorption.latents import encode_words, select_latents
from absorption.models import load_model
from absorption.probes import probe_words
from absorption.prompts import letter_index, make_prompts
from absorption.saes import SHIPPED, load_sae
from absorption.settings import DEFAULT_SAE
from absorption.splitting import one_each
from absorption.vocab import load_vocab, sample_words

N_WORDS = 12_000
"""Words that the probes are fitted on and candidates drawn from."""
N_CONTEST = 208
"""Candidates ablated: eight a letter where there are as many."""


def measure(n_words: int = N_WORDS, n_contest: int = N_CONTEST) -> dict[str, float]:
    """Times of the ablation engine against its rivals; keys as in ``ablation.bench.race``.

    Candidates are words that the probe gets and whose letter's latent, by encoder cosine, is off. The label
    uses the lead on the model's own scale, the smaller one: it is the one that takes more passes.
    """
    model = load_model()
    sae = load_sae(SHIPPED, DEFAULT_SAE, model)
    words = sample_words(load_vocab(model.tokenizer), n_words, seed=0)
    prompts = make_prompts(model, words, seed=0)
    probed = probe_words(words, word_activations(model, prompts, [sae.hook_name])[sae.hook_name], seed=0)
    latent_acts = encode_words(sae, probed.acts)
    letters = letter_index(words)
    subject = Subject(
        csr=latent_acts.csr,
        letters=letters,
        words=probed_right(probed.probes.predict(probed.acts), letters, torch.from_numpy(probed.test)),
        acts=probed.acts,
        directions=probed.probes.directions,
        decoder=sae.W_dec.float().cpu(),
        main=one_each(select_latents(sae, probed, latent_acts)["encoder cosine"]),
    )
    engine = AblationEngine(model, sae, prompts)
    thresholds = Thresholds()
    lead = thresholds.relative_lead(model_scale(engine, subject.words, n_words=100).value)
    chosen = subject.words[torch.from_numpy(subject.chosen(-(-n_contest // 26), seed=0))]
    order = torch.randperm(len(chosen), generator=torch.Generator().manual_seed(0))
    contest = Contest(subject.csr, chosen[order], subject.cosines, thresholds.min_cosine, lead)
    return race(engine, contest)
