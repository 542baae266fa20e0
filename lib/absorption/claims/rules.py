"""When a claim counts as reproduced: a region for the value, and where the measured interval lies to it."""

from __future__ import annotations

import math
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

Verdict = Literal["reproduced", "not reproduced", "unclear", "not measured"]


class _Rule(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class GreaterThan(_Rule):
    """The value lies above a line.

    With a control, another claim of one part, nothing is refuted by a run in which that one is not reproduced: what
    fails to find what is known to be there cannot tell that something else is not.
    """

    kind: Literal["greater_than"]
    than: float
    control: str = ""

    def words(self) -> str:
        """The rule for a reader."""
        open_ = f"; open, not refuted, unless {self.control} is reproduced" if self.control else ""
        return f"above {self.than:g}{open_}"

    def judge(self, low: float, high: float) -> Verdict:
        """Verdict on an interval."""
        return "reproduced" if low > self.than else "not reproduced" if high <= self.than else "unclear"


class LessThan(_Rule):
    """The value lies below a line."""

    kind: Literal["less_than"]
    than: float

    def words(self) -> str:
        """The rule for a reader."""
        return f"below {self.than:g}"

    def judge(self, low: float, high: float) -> Verdict:
        """Verdict on an interval."""
        return "reproduced" if high < self.than else "not reproduced" if low >= self.than else "unclear"


class Between(_Rule):
    """The value lies in a range, ends included."""

    kind: Literal["between"]
    low: float
    high: float

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.low > self.high:
            raise ValueError(f"between: low {self.low:g} is above high {self.high:g}")
        return self

    def words(self) -> str:
        """The rule for a reader."""
        return f"from {self.low:g} to {self.high:g}"

    def judge(self, low: float, high: float) -> Verdict:
        """Verdict on an interval."""
        if self.low <= low and high <= self.high:
            return "reproduced"
        return "not reproduced" if high < self.low or low > self.high else "unclear"


class Close(_Rule):
    """The value is the published one, within a stated tolerance, or else within the measured interval.

    Without a tolerance a wide interval meets anything: use that only where the interval is the seed spread
    of an exact experiment.
    """

    kind: Literal["close"]
    value: float
    tolerance: float | None = Field(None, gt=0)

    def words(self) -> str:
        """The rule for a reader."""
        margin = "within the measured interval" if self.tolerance is None else f"± {self.tolerance:g}"
        return f"{self.value:g} {margin}"

    def judge(self, low: float, high: float) -> Verdict:
        """Verdict on an interval."""
        if self.tolerance is None:
            return "reproduced" if low <= self.value <= high else "not reproduced"
        region = Between(kind="between", low=self.value - self.tolerance, high=self.value + self.tolerance)
        return region.judge(low, high)


Rule = Annotated[GreaterThan | LessThan | Between | Close, Field(discriminator="kind")]


def control_of(rule: GreaterThan | LessThan | Between | Close) -> str:
    """Id of the claim that is a rule's control; empty for none."""
    return rule.control if isinstance(rule, GreaterThan) else ""


def judge(
    rule: GreaterThan | LessThan | Between | Close, low: float, high: float, *, control: Verdict | None = None
) -> Verdict:
    """Where an interval lies: inside the rule's region, outside it, or across its border (unclear).

    Args:
        rule: the region that the claim predicts.
        low: lower end of the measured interval; NaN if the run could not measure it.
        high: upper end.
        control: verdict on the rule's control in the same run, if it has one.
    """
    if math.isnan(low) or math.isnan(high):
        return "not measured"
    verdict = rule.judge(low, high)
    passed = not control_of(rule) or control == "reproduced"
    return "unclear" if verdict == "not reproduced" and not passed else verdict


def combine(parts: list[Verdict]) -> Verdict:
    """A claim with several parts holds if all do, fails if one fails, and is otherwise open."""
    for verdict in ("not reproduced", "not measured", "unclear"):
        if verdict in parts:
            return verdict
    return "reproduced"


def first_problem(error: ValidationError) -> str:
    """Where an entry of a file is wrong first, and how."""
    problem = error.errors(include_url=False)[0]
    return f"{'.'.join(str(step) for step in problem['loc'])}: {problem['msg']}"
