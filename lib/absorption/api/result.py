"""What ``measure`` returns: four tables, what they rest on, and two files that others read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from absorption.definitions.rates import MEAN


@dataclass(frozen=True, repr=False)
class Result:
    """Absorption of one SAE, as tidy tables; nothing in it holds the model or the SAE."""

    rates: pd.DataFrame
    """One row a definition and letter, and a row ``mean`` over the letters that count.

    ``rate, low, high``: the share of the test words that the probe gets which are absorbed, with its 95% bootstrap
    interval over words. ``share_candidates`` (words on which every main latent of the letter is off, of those that the
    probe gets) times ``share_absorbed`` (of these) is the rate; a fraction judges all words and has no second factor.
    ``null, null_low, null_high``: what the same rule finds with other directions in the place of the letter's, and 95%
    of them; ``p``: one-sided, for a rate above its null. ``n_right, n_candidates, n_judged, n_absorbed``: counts of
    words. ``valid``: whether the letter counts, for the mean how many do; ``all_letters``: the mean over all letters
    judged; ``spread``: standard deviation over letters; ``source``: where the definition is from."""
    latents: pd.DataFrame
    """One row a letter and main latent, the most important first (``rank``).

    ``latent`` (its number), ``strongest_on`` (the words on which it is), ``cosine`` (of its decoder row with the
    letter's probe), ``f1, f1_low, f1_high`` (of the first ``rank`` main latents together, on test words). ``recall,
    precision, prevalence, valid``: the gate, of all main latents of the letter on training words; ``judged``: whether
    the letter's probe is good enough for a rate."""
    words: pd.DataFrame
    """One row a definition and test word that the probe gets, of the letters that are probed well enough.

    ``word, token_id, definition, letter``. ``candidate``: all main latents are off. ``judged``: the rule was applied.
    ``absorbed``: it holds; ``value``: 1, 0, or the fraction; ``reason``: why not absorbed. ``latent, cosine, strength,
    lead``: the absorbing latent, or the one that came closest; its decoder cosine with the probe; its effect in logits
    or its share of the projection; by how much it leads the next."""
    silences: pd.DataFrame
    """Full absorption under each rule of when a main latent is silent, mean over the letters that count.

    The rates above have the published rule, an activation of 0. ``silence``: that rule; *calibrated*, an activation
    up to the level that makes the latent the best classifier of its letter on the training words; and the paper's
    appendix A.13, where the main latents write up to a share of the word's projection. Columns else as in ``rates``;
    no rows without full absorption among the definitions."""
    facts: dict[str, Any]
    """What the tables rest on, as JSON values.

    Model and SAE with their hashes, hook, seed, definitions, thresholds, versions of packages, and more.
    ``missing`` says why the definitions by ablation are left out, and is empty if they are not."""

    @property
    def means(self) -> pd.DataFrame:
        """The mean rate under each definition, which is the rows ``mean`` of ``rates``."""
        return self.rates[self.rates["letter"] == MEAN].drop(columns="letter").reset_index(drop=True)

    def to_html(self, path: str | Path) -> Path:
        """Write one HTML page with figures and tables that needs no other file and no network.

        Args:
            path: the file; a file that is there is replaced.

        Returns:
            The path.
        """
        from absorption.api.page import write_page

        return write_page(self, Path(path))

    def to_saebench(self, path: str | Path) -> Path:
        """Write the numbers as SAEBench 0.6 writes those of its evaluation ``absorption_first_letter``.

        Full absorption, and the fraction with SAEBench 0.6.0's thresholds; both as means over all letters that are
        probed well, without the gate, as there. Intervals, nulls, the gated means and the fraction as SAEBench 0.3.2
        defined it are in ``eval_result_unstructured``, each labelled with the version of its definition.

        Args:
            path: the file; a file that is there is replaced. SAEBench's own tools look for names that end in
                ``_eval_results.json``.

        Returns:
            The path.

        Raises:
            ValueError: fewer than two letters were judged, or without the two definitions by projection.
        """
        from absorption.api.saebench import write_saebench

        return write_saebench(self, Path(path))

    def __repr__(self) -> str:
        columns = ["definition", "rate", "low", "high", "null", "p", "valid"]
        about = "{sae} on {model}, {hook_name}".format(**self.facts)
        return f"Absorption of {about}\n{self.means[columns].to_string(index=False, float_format='{:.3f}'.format)}"
