"""What is compared: the measures of the suite's rules, and others that are shown beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from loadgate.analysis.ab.segments import Comparison, Margins, Measure, MeasureKind, Metric
from loadgate.recorder import OVERALL, Recorder
from loadgate.report.ab.document import UncomparedRule
from loadgate.rules import MetricKind, parse_rules
from loadgate.run.document import RunDocument
from loadgate.runner.ab.memory import memory_growth
from loadgate.runner.ab.request import AbError

SHOWN_PERCENTILES = (50.0, 90.0, 95.0, 99.0, 99.9)
"""The percentiles that are shown of every scope of a rule."""

WITHOUT_RULES = (Measure(OVERALL, MeasureKind.PERCENTILE, 95.0), Measure(OVERALL, MeasureKind.FAILURES))
"""The measures that decide if no rule of the suite can be compared."""

_KINDS = {
    MetricKind.PERCENTILE: MeasureKind.PERCENTILE,
    MetricKind.MEAN: MeasureKind.MEAN,
    MetricKind.FAILURES: MeasureKind.FAILURES,
}


def measures_of(rules: Sequence[str]) -> tuple[list[Measure], list[UncomparedRule]]:
    """Return the measures of rules, each once, and the rules that have none.

    The limit, the window and the stage of a rule are not used.
    """
    measures: dict[Measure, None] = {}
    uncompared = []
    for text in rules:
        (rule,) = parse_rules(text)
        kind = _KINDS.get(rule.metric.kind)
        if kind is None or rule.compared_with:
            what = "a ratio of stages" if rule.compared_with else f"{rule.metric}"
            uncompared.append(UncomparedRule(rule=text, reason=f"{what} is not a percentile, the mean or the failures"))
        else:
            measures[Measure(rule.scope, kind, rule.metric.percent)] = None
    return list(measures), uncompared


def check_rule(wanted: Measure, profile: str, rules: Sequence[str]) -> None:
    """Raise AbError if a comparison of a profile with these rules does not judge a measure."""
    judged = measures_of(rules)[0] or list(WITHOUT_RULES)
    if wanted not in judged:
        listed = ", ".join(map(str, judged))
        raise AbError(f"profile {profile} has no rule for {wanted}; give one of these rules: {listed}")


@dataclass
class Seen:
    """The rules, the request names and the resources of all runs so far.

    A rare request can be missing in some of them.
    """

    rules: dict[str, None] = field(default_factory=dict)
    resources: dict[str, None] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)

    def add(self, document: RunDocument) -> None:
        """Add those of a run."""
        self.resources |= dict.fromkeys(memory_growth(document))
        self.rules |= dict.fromkeys(rule.rule for rule in document.verdict.rules)
        self.names.update(request_names(document.recording.recorder()))


def comparison_of(
    seen: Seen, margins: Margins, looks: tuple[int, ...], metric: Metric = Metric.RULES
) -> tuple[Comparison, list[UncomparedRule]]:
    """Return what is compared, and the rules that are not. If the memory decides, the rules are only shown."""
    rules, uncompared = measures_of(list(seen.rules))
    scopes = list(dict.fromkeys([OVERALL, *(measure.scope for measure in rules)]))
    shown = [Measure(scope, MeasureKind.PERCENTILE, percent) for scope in scopes for percent in SHOWN_PERCENTILES]
    shown += [Measure(scope, kind) for scope in scopes for kind in (MeasureKind.MEAN, MeasureKind.FAILURES)]
    deciding = rules or list(WITHOUT_RULES)
    if metric is Metric.MEMORY:
        shown = list(dict.fromkeys(deciding + shown))
        deciding, uncompared = [Measure(name, MeasureKind.MEMORY) for name in seen.resources], []
    comparison = Comparison(
        rules=tuple(deciding),
        others=tuple(measure for measure in shown if measure not in deciding),
        names=tuple(sorted(seen.names)),
        margins=margins,
        looks=looks,
    )
    return comparison, uncompared


def request_names(recorder: Recorder) -> list[str]:
    """Return the names of requests that are scopes of their own."""
    groups = {OVERALL, *recorder.groups()}
    return [name for name in recorder.names() if name not in groups and not recorder.is_measure(name)]
