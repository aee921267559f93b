"""Documents of comparisons for the tests of their files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from loadgate.analysis.ab.result import AbResult, Change, Guard, NameChange
from loadgate.analysis.ab.segments import Measure, MeasureKind
from loadgate.analysis.decision import RuleOutcome
from loadgate.analysis.interval import Interval
from loadgate.report.ab.document import AbDocument, PlanRecord, SegmentRecord, SideRecord, UncomparedRule
from loadgate.run.document.environment import EnvironmentRecord, FingerprintRecord, MachineClassRecord, MachineRecord
from loadgate.run.document.parts import iso_time

STARTED_S = 1_777_593_600.0
SHIFTS = (-0.02, 0.01, 0.0, 0.02, -0.01)
PAIRS_OF_MANY = (None, None, None, *(0.01 * number for number in range(17)))
HOSTILE = (
    "| a | <script>alert(1)</script><b>&amp;\u202e @team #17 [x](http://evil.example) ![i](http://evil.example/i) "
    "`code` $$x$$ ~~s~~ **b** _e_\n\n# head\r\n- item http://evil.example www.evil.example a@evil.example "
    "org/repo#1 b619deaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa :tada: <!-- x --> \x1b[31m"
)
"""Text that would become markup, a mention, a link or a control sequence."""


def change(
    scope: str = "auth",
    percentile: float | None = 95.0,
    *,
    kind: MeasureKind = MeasureKind.PERCENTILE,
    value: float = 0.02,
    half: float = 0.03,
    outcome: RuleOutcome = RuleOutcome.PASS,
    reason: str = "at most 5 % slower, below 10 %",
    more_pairs: int | None = None,
    wild: float | None = None,
    high: float | None = 0.0,
) -> Change:
    """A change with an interval, and the pairs around it.

    - `wild`: a further pair that is far away.
    - `high`: None for an interval without an upper bound.
    """
    is_difference = kind in {MeasureKind.FAILURES, MeasureKind.MEMORY}
    base = 0.01 if kind is MeasureKind.FAILURES else 400.0
    return Change(
        measure=Measure(scope, kind, percentile if kind is MeasureKind.PERCENTILE else None),
        base=base,
        head=base + value if is_difference else base * (1 + value),
        change=value,
        interval=Interval(value - half, None if high is None else value + half, 0.95),
        p_value=0.012,
        pairs=(*(value + shift * (half / 0.03) for shift in SHIFTS * 2), *([] if wild is None else [wild])),
        detectable=half * 1.5,
        more_pairs=more_pairs,
        outcome=outcome,
        reason=reason,
    )


def unmeasured(scope: str = "llm") -> Change:
    """A rule without requests on the side of base."""
    return Change(
        measure=Measure(scope, MeasureKind.PERCENTILE, 99.9), base=None, head=12.0, change=None, interval=None,
        p_value=None, pairs=(None,) * 10, detectable=None, more_pairs=None, outcome=RuleOutcome.INCONCLUSIVE,
        reason="base has no successful requests",
    )  # fmt: skip


def guards(broken: bool = False) -> tuple[Guard, ...]:
    """The guards of a result. `broken`: the control moved."""
    moved = 0.034 if broken else 0.004
    return (
        Guard("control", moved, 0.02, broken, f"The control server was {moved * 100:.1f} % slower with head."),
        Guard("rate", 0.001, 0.01, False, "The rates differ by 0.1 %."),
        Guard("pairs", 0.0, 0.2, False, "All 10 pairs can be compared."),
    )


def names() -> tuple[NameChange, ...]:
    """The changes of two request names."""
    return (
        NameChange("POST /api/v1/auth/login", 400.0, 470.0, 0.175, Interval(0.12, 0.23, 0.95), True),
        NameChange("GET /api/v1/ping", 2.0, 2.02, 0.01, None, False),
    )


def result(
    rules: Sequence[Change],
    outcome: RuleOutcome = RuleOutcome.PASS,
    reason: str = "no rule is more than 10 % slower; auth p95 +2.00 % [-1.00 %, +5.00 %]",
) -> AbResult:
    """A result after 10 pairs."""
    others = (change(value=0.01, percentile=50.0), change("overall", kind=MeasureKind.MEAN, value=-0.06))
    return AbResult(outcome, reason, True, 10, tuple(rules), others, names(), guards())


def document(judged: AbResult, *, base: str = "main", head: str = "faster-login", scopes: str = "auth") -> AbDocument:
    """The document of a result. `scopes` names the scope of the rule that is not compared."""
    return AbDocument.of(
        plan(base, head),
        judged,
        segments(judged.pairs),
        started_at=iso_time(STARTED_S),
        not_compared=[UncomparedRule(rule=f"{scopes}: requests > 1000", reason="the load decides it")],
        made_on=environment(),
    )


def plan(base: str = "main", head: str = "faster-login") -> PlanRecord:
    """A plan of ten pairs of two commits."""
    return PlanRecord(
        base=SideRecord(label=base, commit="b619dea0" * 5),
        head=SideRecord(label=head, commit="336552c0" * 5, changed_files=3),
        profile="medium",
        rate_per_s=20.0,
        rate_from="half of the capacity of base",
        settle_s=5.0,
        measure_s=20.0,
        pairs=10,
        seed=42,
        ignore=0.05,
        worse=0.10,
        ignore_failures=0.001,
        worse_failures=0.005,
        ignore_ms=0.5,
    )


def segments(pairs: int) -> list[SegmentRecord]:
    """Two segments a pair."""
    return [
        SegmentRecord(
            pair=pair, side=side, started_at=iso_time(STARTED_S + 60 * pair + 30 * place),
            folder=f"segments/{pair:02d}-{side}", rate_per_s=20.0, control_ms=0.4, problem="",
        )
        for pair in range(1, pairs + 1)
        for place, side in enumerate(("base", "head"))
    ]  # fmt: skip


def environment() -> EnvironmentRecord:
    """The environment of the load generator."""
    return EnvironmentRecord(
        git=None,
        machine=MachineRecord(name="ci", system="Linux", processor="x86_64", cores=2, memory_bytes=8_000_000_000),
        versions={"python": "3.12.1", "locust": "2.47.0"},
        machine_class=MachineClassRecord(cpu="Some CPU", usable_cores=2, cpu_limit=None, memory_limit_bytes=None),
        software=None,
        fingerprint=FingerprintRecord(machine="0a1b2c3d4e5f", profile="111111111111", rules="2", suite="3", test="4"),
    )


def passed() -> AbDocument:
    """Nothing is slower."""
    return document(result([change(), change("overall", kind=MeasureKind.FAILURES, value=0.0, half=0.001)]))


def failed() -> AbDocument:
    """Login is 17 % slower, with enough certainty."""
    slower = change(value=0.17, half=0.04, outcome=RuleOutcome.FAIL, reason="17.0 % slower, at least 13.0 %")
    reason = "auth p95 is 17.0 % slower: 400 ms to 468 ms"
    return document(result([slower, change("tasks", 99.0)], RuleOutcome.FAIL, reason))


def undecided() -> AbDocument:
    """Too few pairs, and a rule that base cannot measure."""
    wide = change(value=0.06, half=0.09, outcome=RuleOutcome.INCONCLUSIVE, reason="too few pairs", more_pairs=14)
    return document(result([wide, unmeasured()], RuleOutcome.INCONCLUSIVE, "auth p95 needs 14 more pairs"))


def guard_broken() -> AbDocument:
    """The machine changed during the comparison."""
    judged = result([change()], RuleOutcome.INCONCLUSIVE, "the control server was 3.4 % slower with head")
    return document(replace(judged, guards=guards(broken=True)))


def two_guards_broken() -> AbDocument:
    """The machine changed, and head got other arrivals."""
    first = guard_broken()
    control, _, compared = first.result.guards
    rate = Guard("rate", 0.04, 0.01, True, "The arrival rates differ by 4 %.")
    return first.model_copy(update={"result": replace(first.result, guards=(control, rate, compared))})


def extreme() -> AbDocument:
    """One rule is 20 times slower, another one is much faster, and failures are most requests."""
    rules = [
        change(value=20.0, half=1.5, outcome=RuleOutcome.FAIL, reason="more than 5 % slower"),
        change("tasks", value=-0.96, half=0.01),
        change("llm", value=0.9, half=0.4, outcome=RuleOutcome.FAIL, reason="more than 5 % slower"),
        change("overall", kind=MeasureKind.FAILURES, value=0.8, half=0.1, outcome=RuleOutcome.FAIL, reason="higher"),
    ]
    return document(result(rules, RuleOutcome.FAIL, "auth: p95 is 2,000 % slower; 2 more rules fail"))


def many_rules() -> AbDocument:
    """Twenty rules and twenty pairs, three of which are left out."""
    rules = [replace(change(f"group {number}", value=number / 200), pairs=PAIRS_OF_MANY) for number in range(20)]
    judged = result(rules, reason="all 20 rules are within their margins")
    return document(replace(judged, pairs=17))


def long_names() -> AbDocument:
    """Names, labels and branches of 200 characters."""
    rules = [change("GET /api/v1/" + "a-long-part/" * 16), change("x" * 200, 99.0)]
    long = [NameChange("POST /" + "y" * 195, 1234.0, 56789.0, 45.02, Interval(40.0, 50.0, 0.95), True)]
    return document(replace(result(rules), names=tuple(long)), base="main/" + "b" * 195, head="feature/" * 25)


def without_rules() -> AbDocument:
    """A suite without comparable rules, and segments without an environment."""
    judged = AbResult(RuleOutcome.INCONCLUSIVE, "the suite has no rule to compare", False, 0, (), (), (), ())
    return AbDocument.of(plan(), judged, [], started_at=iso_time(STARTED_S))


def wild() -> AbDocument:
    """A pair that is far from the others, and an interval without an upper bound."""
    return document(result([change(wild=9.0), change("tasks", high=None)]))


def hostile() -> AbDocument:
    """A comparison in which every text from outside is markup."""
    rule = change(HOSTILE, outcome=RuleOutcome.FAIL, reason=HOSTILE, value=0.2)
    name = NameChange(HOSTILE, 1.0, 2.0, 1.0, None, True)
    judged = result([rule], RuleOutcome.FAIL, HOSTILE)
    judged = replace(judged, names=(name,), others=(rule,), guards=(Guard(HOSTILE, 0.3, 0.02, True, HOSTILE),))
    made = document(judged, base=HOSTILE, head=HOSTILE, scopes=HOSTILE)
    told = made.plan.model_copy(update={"profile": HOSTILE, "rate_from": HOSTILE})
    stopped = [segment.model_copy(update={"problem": HOSTILE, "folder": HOSTILE}) for segment in made.segments]
    return made.model_copy(update={"plan": told, "segments": stopped})


def huge() -> AbDocument:
    """A comparison of many rules and names with very long texts."""
    rules = [change(f"scope {number} {'ab|<' * 500}", reason="r<" * 3000) for number in range(300)]
    judged = result(rules, RuleOutcome.INCONCLUSIVE, "&" * 20_000)
    many = [NameChange(f"GET /{number}/{'<' * 1500}", 1.0, 1.2, 0.2, None, True) for number in range(500)]
    return document(replace(judged, names=tuple(many)), base="<" * 5000, head="|" * 5000, scopes="[" * 5000)


KINDS = {
    made.__name__: made
    for made in (
        passed, failed, undecided, guard_broken, two_guards_broken, without_rules, wild, extreme, many_rules,
        long_names, hostile, huge,
    )
}  # fmt: skip
