"""The cases of the proof: what a version of the stub changes, and what a comparison must say."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from loadgate.rules import RuleOutcome

GROUP = "stub"
FAIL, PASS = RuleOutcome.FAIL, RuleOutcome.PASS
FOUND = 0.95
NULL_FAILS, NULL_PASSES = 4 / 40, 34 / 40
USUAL_FAILURES = 0.002


@dataclass(frozen=True, slots=True)
class VersionCase:
    """A change of a version. `head` are the options of the stub of the changed version.

    The shares of the outcomes are at least those in `least`, and at most those in `most`. `with_hog` lets a busy
    process start in the middle of each comparison.
    """

    name: str
    head: Mapping[str, float] = field(default_factory=dict)
    least: Mapping[RuleOutcome, float] = field(default_factory=dict)
    most: Mapping[RuleOutcome, float] = field(default_factory=dict)
    with_hog: bool = False

    def misses(self, outcomes: Sequence[RuleOutcome]) -> list[str]:
        """Return one line for each limit of the proof that the outcomes miss."""
        runs, missed = len(outcomes), []
        for outcome, share in self.least.items():
            if outcomes.count(outcome) < (needed := math.floor(share * runs)):
                missed.append(f"{self.name}: {outcomes.count(outcome)} of {runs} {outcome}, {needed} are needed")
        for outcome, share in self.most.items():
            if outcomes.count(outcome) > (allowed := math.ceil(share * runs)):
                missed.append(f"{self.name}: {outcomes.count(outcome)} of {runs} {outcome}, {allowed} are allowed")
        return missed

    @property
    def is_null(self) -> bool:
        """Return whether head does not differ from base."""
        return not self.head


def _null(name: str, *, with_hog: bool) -> VersionCase:
    return VersionCase(name, least={PASS: NULL_PASSES}, most={FAIL: NULL_FAILS}, with_hog=with_hog)


def _slower(name: str, **head: float) -> VersionCase:
    return VersionCase(name, head, least={FAIL: FOUND})


CASES: Sequence[VersionCase] = (
    _null("no change", with_hog=False),
    _null("a busy process starts in the middle", with_hog=True),
    _slower("all requests 10 % slower", slower=0.1),
    _slower("the slowest 8 % 10 % slower", slower_tail=0.1),
    _slower("3 % of the requests 200 ms later", late=0.03),
    _slower("the slower half 20 % slower, same p50", slower_half=0.2),
    _slower("0.5 percentage points more failures", failures=USUAL_FAILURES + 0.005),
    VersionCase("all requests 3 % slower", {"slower": 0.03}, most={FAIL: 0.0}),
)
