"""The exact ablation engine: answer logits after any change of a word's residual stream at the SAE's place.

Only the tokens from the word onward, in the blocks above the SAE, can change, and the in-context prefix is
shared by all prompts of an example set. The engine computes nothing else, and checks itself against whole
forward passes when it is made. Where a model does not allow it, the engine computes whole passes and says
so in ``mode``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from absorption.ablation.passes import FastPass, FullPass, Pass
from absorption.base import batches
from absorption.models.hooks import Site
from absorption.models.language_model import LanguageModel
from absorption.saes.loaded import LoadedSae
from absorption.spelling.answers import answer_metric
from absorption.spelling.prompts import SpellingPrompts

SHARED_PREFIX, FULL_PASSES = "shared prefix", "full passes"
"""How the engine runs: the prompts' common beginning once, or every prompt whole."""
TOLERANCE = {torch.float64: 1e-5, torch.float32: 5e-4, torch.float16: 2e-2, torch.bfloat16: 1e-1}
"""Largest difference to whole passes, relative to the spread of the answer logits, by type of the weights.

Summing in another order gives about 2e-5 in float32 on a model of 30 layers; attention patterns are float32
in every type."""
BATCH = {"cpu": 64, "cuda": 1024, "mps": 256}
"""Rows at once; on a CPU few enough for the caches."""
RESCALED = ("constant_norm_rescale", "layer_norm")
"""Normalisations of SAELens that depend on the input."""


@runtime_checkable
class Asked(Protocol):
    """What effects need to know of the prompts."""

    @property
    def letters(self) -> Int[Tensor, " word"]:
        """Number of each word's right answer."""
        ...

    @property
    def names(self) -> Sequence[str]:
        """The answers."""
        ...


@runtime_checkable
class RemovalEngine(Protocol):
    """What the effects of an SAE's latents are computed with: ``AblationEngine``, or a model that is known exactly."""

    @property
    def sae(self) -> LoadedSae:
        """Whose latents are removed."""
        ...

    @property
    def prompts(self) -> Asked:
        """One a word."""
        ...

    def states(self, words: Int[Tensor, " word"], /) -> Float[Tensor, "word d_model"]:
        """Residual stream at each word's token."""
        ...

    def metrics(
        self, words: Int[Tensor, " row"], states: Float[Tensor, "row d_model"], /
    ) -> Float[Tensor, " row"]:
        """The metric after replacing it."""
        ...


class StateEngine:
    """Answers after replacing the residual stream at a word's token, at one place."""

    def __init__(
        self,
        model: LanguageModel,
        prompts: SpellingPrompts,
        site: Site,
        *,
        mode: Literal["auto", "shared prefix", "full passes"] = "auto",
        batch: int = 0,
    ) -> None:
        """Choose how to compute.

        Args:
            model: a loaded model.
            prompts: from ``prompts.make_prompts``.
            site: where the residual stream is replaced.
            mode: ``auto`` takes the fast way if it agrees with whole passes. A way that is asked for by name
                is not checked; whole passes are then made without the bridge's hooks, as fast as can be.
            batch: rows at once; 0 takes a default for the device, or ``$ABSORPTION_BATCH`` in proportion.

        Raises:
            ValueError: a place from which no attention layer carries the word's token to the answer.
        """
        if site.depth >= model.n_layers:
            raise ValueError(
                f"hook {site.name!r} is behind the last attention layer: the word's token no longer "
                f"reaches the answer from there; allowed: up to {Site(model.n_layers - 1).name}."
            )
        self.model, self.prompts, self.site = model, prompts, site
        self.mode: str = mode
        """Which way is used."""
        self.batch = batch or batches.size(BATCH.get(model.device.type, 64))
        self.reason = ""
        """Why the fast way is not used."""
        self.difference = float("nan")
        """Largest difference to whole passes found by the check, relative to the spread of the answers."""
        if mode == "auto":
            self._choose()
        elif mode == SHARED_PREFIX:
            self._pass: Pass = FastPass(model, prompts, site.depth)
        else:
            self._pass = FullPass(model, prompts, site.depth, plain=True)

    def _choose(self) -> None:
        """Take the fast way if it exists and agrees with whole passes."""
        self.mode, self._pass = FULL_PASSES, FullPass(self.model, self.prompts, self.site.depth)
        words, states, expected = self._whole_answers()
        try:
            fast = FastPass(self.model, self.prompts, self.site.depth)
            with torch.no_grad():
                found = fast.logits(words, states).double()
        except Exception as error:  # any architecture may be asked for; whole passes serve them all
            self.reason = f"{type(error).__name__}: {error}".splitlines()[0]
            return
        self.difference = float(((found - expected).abs() / expected.std(dim=1, keepdim=True)).max())
        if self.difference > TOLERANCE[self.model.dtype]:
            self.reason = f"it differs from whole passes by {self.difference:.1e} of the answers' spread"
            return
        self.mode, self._pass = SHARED_PREFIX, fast

    @torch.no_grad()
    def _whole_answers(self, n_words: int = 2) -> tuple[Tensor, Tensor, Tensor]:
        """Two words, as they are and with their states negated, through whole passes: what to agree with.

        A change of size alone would not do: a norm may undo it.

        Raises:
            RuntimeError: the change does not reach the answer, so that agreement would mean nothing.
        """
        words = (self.prompts.example_set == self.prompts.example_set[0]).nonzero()[:n_words, 0]
        states = self._pass.states(words)
        words, states = words.repeat(2), torch.cat([states, -states])
        expected = self._pass.logits(words, states).double()
        if torch.equal(*expected.chunk(2)):
            raise RuntimeError(f"negating the residual stream at {self.site.name} changes no answer.")
        return words, states, expected

    @torch.no_grad()
    def states(self, words: Int[Tensor, " word"]) -> Float[Tensor, "word d_model"]:
        """Residual stream at each word's token, at the SAE's place, float32 on the CPU."""
        out = torch.empty(len(words), self.model.d_model)
        for rows in self._batches(words):
            out[rows] = self._pass.states(words[rows]).float().cpu()
        return out

    @torch.no_grad()
    def logits(
        self, words: Int[Tensor, " row"], states: Float[Tensor, "row d_model"]
    ) -> Float[Tensor, "row 26"]:
        """Answer logits of each row's prompt with the word's residual stream replaced.

        Args:
            words: positions in the prompts' table; repeats allowed, order free.
            states: what the residual stream at the word's token is replaced by.
        """
        if len(words) != len(states):
            raise ValueError(f"{len(words)} words but {len(states)} states; one each is needed.")
        out = torch.empty(len(words), len(self.prompts.answer_ids))
        for rows in self._batches(words):
            out[rows] = self._pass.logits(words[rows], states[rows].to(self.model.device)).float().cpu()
        return out

    def metrics(
        self, words: Int[Tensor, " row"], states: Float[Tensor, "row d_model"]
    ) -> Float[Tensor, " row"]:
        """The paper's metric after replacing the word's state: see ``answer_metric``."""
        return answer_metric(self.logits(words, states), self.prompts.letters[words])

    def gradients(
        self, words: Int[Tensor, " row"], states: Float[Tensor, "row d_model"]
    ) -> Float[Tensor, "row d_model"]:
        """Gradient of the metric with respect to the word's state, taken at the given states."""
        out = torch.empty(len(words), self.model.d_model)
        for rows in self._batches(words):
            at = states[rows].to(self.model.device).requires_grad_(True)
            with torch.enable_grad():
                logits = self._pass.logits(words[rows], at).float()
                metric = answer_metric(logits, self.prompts.letters[words[rows]].to(logits.device))
                out[rows] = torch.autograd.grad(metric.sum(), at)[0].float().cpu()
        return out

    def forget(self) -> None:
        """Drop what is kept of each word, so that it is computed, and timed, again."""
        self._pass.forget()

    def _batches(self, words: Int[Tensor, " row"]) -> list[Int[Tensor, " part"]]:
        """Row numbers, a batch each, every batch of one example set, words kept together."""
        sets = self.prompts.example_set[words]
        order = torch.argsort(sets * len(self.prompts.word_ids) + words, stable=True)
        sizes = sets.bincount().tolist()
        return [part for group in order.split(sizes) for part in group.split(self.batch) if len(part)]


class AblationEngine(StateEngine):
    """A state engine at an SAE's place: what the effects of its latents are computed with."""

    def __init__(
        self,
        model: LanguageModel,
        sae: LoadedSae,
        prompts: SpellingPrompts,
        *,
        mode: Literal["auto", "shared prefix", "full passes"] = "auto",
        batch: int = 0,
    ) -> None:
        """See ``StateEngine``.

        Raises:
            ValueError: an SAE behind the last attention layer, or one that rescales each input.
        """
        rescaled = sae.sae.cfg.normalize_activations
        if rescaled in RESCALED:
            raise ValueError(
                f"SAE {sae.name!r} has {rescaled} of its input, so a latent adds no fixed multiple of its "
                "decoder row. Allowed: SAEs that do not."
            )
        super().__init__(model, prompts, sae.site, mode=mode, batch=batch)
        self.sae = sae
