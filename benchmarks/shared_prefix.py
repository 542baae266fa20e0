"""Word activations over a shared prefix against whole prompts: same words, same threads, same run."""

from __future__ import annotations

import torch

from absorption.models.language_model import load_model
from absorption.spelling import activations
from absorption.spelling.prompts import make_prompts
from absorption.spelling.vocab import load_vocab
from benchmarks.ratios import ratio


def measure(n_words: int = 128, depth: int = 9, batch: int = 32) -> dict[str, float]:
    """Word activations over a shared prefix against the same words' whole prompts through the same blocks.

    With few words the prefixes' own cost weighs most: over a whole vocabulary the ratio is larger.

    Args:
        n_words: words of the embedded model's vocabulary.
        depth: blocks to pass through; both ways stop there.
        batch: whole prompts at once.

    Raises:
        RuntimeError: the two ways do not agree, so their speeds do not compare.
    """
    model = load_model()
    prompts = make_prompts(model, load_vocab(model.tokenizer).head(n_words))
    index = torch.arange(n_words).split(batch)
    found: dict[str, torch.Tensor] = {}

    def whole() -> None:
        parts = [model.residual_streams(prompts.tokens(part), [depth])[depth] for part in index]
        found["whole"] = torch.cat([part[:, prompts.word_position] for part in parts])

    def shared() -> None:
        model.prefixes.clear()  # the prefixes are part of the work
        found["shared"] = activations._compute(model, prompts, [depth], n_words)[depth]

    times = ratio(whole, shared, repeats=2)
    if not torch.allclose(found["whole"], found["shared"], rtol=1e-3, atol=1e-2):
        raise RuntimeError("Activations over a shared prefix differ from those of whole prompts.")
    return {"activations.speedup_full": round(times, 2), "activations.words": n_words}
