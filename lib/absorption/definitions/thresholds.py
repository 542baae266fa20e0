"""Every threshold of the three definitions, with its source."""

from __future__ import annotations

from dataclasses import dataclass, fields

from absorption.ablation.ranking import MOST_NEGATIVE, AblationRule, check_ranking


@dataclass(frozen=True)
class Thresholds:
    """Defaults are the published values; chapters vary them in the sensitivity panel."""

    min_cosine: float = 0.025
    """Least decoder cosine with the probe, for the ablation metric (paper, section 5.3) and for full
    absorption (SAEBench's code)."""
    min_lead: float = 1.0
    """Least lead of the most negative effect over the next, in logits of Gemma-2-2B (paper, section 5.3)."""
    ranking: str = MOST_NEGATIVE
    """What competes for the lead, which is negative effects only (reference code), or all effects by ``magnitude``."""
    lead_share: float = 1 / 6
    """The lead as a share of the model's own scale, which is the mean metric of the words used, unchanged:
    what would be lost if the word's token said nothing. The paper's clearest absorber moves the metric by
    more than 6 (section 5.2), and that is all that the word's token says about its letter; a lead of 1 is a
    sixth of it. So the share follows from published numbers, not from what is found here."""
    min_share: float = 0.4
    """Least share of the word's projection on the probe that the absorbers must carry (SAEBench's code)."""
    fraction_cosine: float = 0.1
    """Least decoder cosine of an absorber, for the absorption fraction (SAEBench's code)."""
    max_absorbers: int = 3
    """Absorbers counted, for the absorption fraction (SAEBench's code)."""
    max_candidates: int = 200
    """Candidates of a letter that are ablated; of more, a seeded random choice (reference code)."""
    min_probe_f1: float = 0.6
    """Letters on which the LR probe does worse are left out (SAEBench's code)."""

    min_main_recall: float = 0.5
    """Least recall of a letter's main latents together on the training words, for the letter to count for a rate; those
    of a letter that misses more words than it finds are not the rule from which absorption could be the exception."""
    min_main_lift: float = 2.0
    """Least ratio of their precision to the letter's share of the words. Latents that know nothing have a ratio of
    1; at 2, half of the letter's words on which they fire are there by more than chance."""

    def __post_init__(self) -> None:
        check_ranking(self.ranking)
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name == "ranking":
                continue
            if value < 0 or (field.name == "min_lead" and value == 0):
                raise ValueError(
                    f"{field.name} is {value}; allowed: {'above' if value == 0 else 'at least'} 0."
                )

    def ablation_rule(self, min_lead: float) -> AblationRule:
        """The ablation metric's rule at this lead, in logits."""
        return AblationRule(self.min_cosine, min_lead, self.ranking)

    def relative_lead(self, mean_metric: float) -> float:
        """The lead in this model's logits, from the mean metric of the words used.

        Raises:
            ValueError: the model does not do the task, so that it has no scale.
        """
        if not mean_metric > 0:
            raise ValueError(f"the mean metric is {mean_metric:.2f}: the model does not spell these words.")
        return self.lead_share * mean_metric
