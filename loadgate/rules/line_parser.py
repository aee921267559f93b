"""The parser of one rule line. The grammar is above `loadgate.rules.parser`."""

import re
from dataclasses import dataclass, replace

from loadgate.recorder import OVERALL
from loadgate.rules.limits import Limit, parse_limit
from loadgate.rules.metrics import RuleSyntaxError, parse_metric
from loadgate.rules.types import Metric, MetricKind, Operator, Rule, Unit
from loadgate.units import duration_s

_WORD = re.compile(r"[^\s<>=]+")
_OPERATOR = re.compile(r"[<>=!]+")
_ANY_LIMIT = re.compile(r"\d+(?:\.\d+)?(?:\s*(?:us|ms|min|s|%|/\s*s)(?![\w.%/])|[^\s<>=]*)", re.IGNORECASE)
_UPPER, _LOWER = {Operator.LT, Operator.LE}, {Operator.GT, Operator.GE}
_OPERATORS = {
    MetricKind.GROWTH: _UPPER,
    MetricKind.RECOVERY: _UPPER,
    MetricKind.LASTS: _LOWER,
    MetricKind.CAPACITY: _LOWER,
}
_CAPACITY = re.compile(r"\s*capacity\s*(?=[<>=!]|$)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class RuleError:
    """An error in line `line` (1-based) at character `column` (1-based) of `text`."""

    line: int
    column: int
    message: str
    text: str

    def __str__(self) -> str:
        return f"rule {self.line}, column {self.column}: {self.message}: {self.text}"


class LineParser:
    """A parser of one line. After an error, it continues with the next part, if it can find that part."""

    def __init__(self, text: str, line: int) -> None:
        self.errors: list[RuleError] = []
        self._text = text
        self._line = line
        self._at = 0

    def parse(self) -> Rule | None:
        """Return the rule. It is None, or of no use, if there are `errors`."""
        if (capacity := _CAPACITY.match(self._text)) is not None:
            self._at = capacity.end()
            return self._whole_run_rule(OVERALL, Metric(MetricKind.CAPACITY), "")
        scope = self._scope()
        if scope is None:
            return None
        metric = self._metric()
        if metric is None and self._at == len(self._text):
            return None
        stage = self._compared_stage(metric)
        if metric is not None and (metric.kind in _OPERATORS or stage):
            return self._whole_run_rule(scope, metric, stage)
        return self._request_rule(scope, metric)

    def _request_rule(self, scope: str, metric: Metric | None) -> Rule | None:
        """Return a rule on requests. Without a metric, check the other parts."""
        operator, operator_at = self._operator()
        self._skip_spaces()
        limit_at = self._at
        limit = None if operator is None else self._limit(metric)
        if limit is None:  # without a limit the start of the next part is unknown
            return None
        window_s = self._window()
        stage = self._stage(metric)
        abort, abort_at = self._abort()
        self._end("'over <duration>', 'in <stage>', 'abort' or the end")
        if metric is None or operator is None:
            return None
        rule = Rule(scope, metric, operator, limit.value, limit.unit, window_s, abort, stage)
        if abort and window_s is None and not can_be_known_early(rule):
            self._error(
                abort_at,
                f"'{metric} {operator.value}' is known only at the end of the run; write 'over <duration> abort'",
            )
        if metric.kind is MetricKind.FAILURES and operator is Operator.LT and not rule.limit:
            self._error(operator_at, "failures cannot be less than 0; write '<= 0' for none")
        if rule.unit is Unit.PERCENT and rule.limit > 100:
            self._error(limit_at, "a failure rate is at most 100 %")
        return rule

    def _whole_run_rule(self, scope: str, metric: Metric, compared_stage: str) -> Rule | None:
        """Return a rule on a resource, a recovery, a comparison of stages or the capacity.

        It has no window and no `abort`.
        """
        operator, operator_at = self._operator()
        limit = None if operator is None or self.errors else self._limit(metric, compares=bool(compared_stage))
        if operator is None or limit is None or self.errors:
            return None
        allowed = _OPERATORS.get(metric.kind)
        if allowed and operator not in allowed:
            words = " or ".join(f"'{item.value}'" for item in Operator if item in allowed)
            self._error(operator_at, f"{metric} takes {words}, not {operator.value!r}")
        rule = Rule(scope, metric, operator, limit.value, limit.unit, capacity=limit.capacity, in_mb=limit.in_mb)
        if compared_stage:
            stage = self._last_stage("the stage to compare with, such as 'before'")
            return replace(rule, stage=compared_stage, compared_with=stage)
        if metric.kind is not MetricKind.RECOVERY:
            self._end("the end", f"; {metric} takes no window, stage or 'abort'")
            return rule
        self._skip_spaces()
        if not self._keyword("after"):
            self._error(self._at, "expected 'after <stage>', such as 'after rush'")
            return None
        return replace(rule, stage=self._last_stage("a stage after 'after', such as rush"))

    def _compared_stage(self, metric: Metric | None) -> str:
        """Return the text between the metric and the operator, which is a stage. "" if there is none."""
        operator = _OPERATOR.search(self._text, self._at)
        if operator is None or metric is None or metric.kind in _OPERATORS:
            return ""
        at, stage = self._at, self._text[self._at : operator.start()].strip()
        if stage and metric.kind is not MetricKind.PERCENTILE:
            self._error(at, f"only percentiles can be compared between stages, not {metric}")
        if stage:
            self._at = operator.start()
        return stage

    def _last_stage(self, expected: str) -> str:
        """Return the stage that is the rest of the line."""
        self._skip_spaces()
        stage = self._text[self._at :].strip()
        if not stage:
            self._error(self._at, f"expected {expected}")
        self._at = len(self._text)
        return stage

    def _scope(self) -> str | None:
        colon = self._text.rfind(":")
        if colon < 0:
            self._error(len(self._text), "expected '<scope>: <metric> < <limit>', such as 'auth: p95 < 500ms'; no ':'")
            return None
        scope = self._text[:colon].strip()
        if not scope:
            self._error(colon, "expected a group, a request name or 'overall' before ':'")
        self._at = colon + 1
        return scope

    def _metric(self) -> Metric | None:
        self._skip_spaces()
        try:
            metric, self._at = parse_metric(self._text, self._at)
        except RuleSyntaxError as error:
            self._error(error.at, str(error))
            self._at = error.end
            return None
        return metric

    def _operator(self) -> tuple[Operator | None, int]:
        self._skip_spaces()
        at = self._at
        match = _OPERATOR.match(self._text, at)
        if match is None:
            self._error(at, "expected '<', '<=', '>' or '>='")
            return None, at
        self._at = match.end()
        if match[0] not in set(Operator):
            self._error(at, f"unknown operator {match[0]!r}, expected '<', '<=', '>' or '>='")
            return Operator.LT, at  # a placeholder, so that the other parts are checked
        return Operator(match[0]), at

    def _limit(self, metric: Metric | None, *, compares: bool = False) -> Limit | None:
        self._skip_spaces()
        at = self._at
        anything = _ANY_LIMIT.match(self._text, at)
        if anything is not None:
            self._at = anything.end()
        if metric is None:
            return Limit(1.0, Unit.COUNT, self._at) if anything is not None else None
        try:
            limit = parse_limit(self._text, at, metric, compares=compares)
        except RuleSyntaxError as error:
            self._error(error.at, str(error))
            return Limit(1.0, Unit.COUNT, self._at) if anything is not None else None
        self._at = limit.end
        return limit

    def _window(self) -> int | None:
        if not self._keyword("over"):
            return None
        self._skip_spaces()
        at = self._at
        match = re.compile(r"\d[\w.]*").match(self._text, at)
        if match is None:
            self._error(at, "expected a duration after 'over', such as 10s or 5m")
            wrong = _WORD.match(self._text, at)
            self._at = wrong.end() if wrong else at
            return None
        self._at = match.end()
        try:
            seconds = duration_s(match[0])
        except ValueError as error:
            self._error(at, str(error))
            return None
        if match[0].isdigit() or seconds != int(seconds):
            self._error(at, f"a window is a whole number of seconds with a unit, such as 10s, not {match[0]!r}")
            return None
        return int(seconds)

    def _stage(self, metric: Metric | None) -> str | None:
        self._skip_spaces()
        at = self._at
        if not self._keyword("in"):
            return None
        match = re.compile(r"\s*(?P<stage>.*?)\s*(?=$|(?<=\s)abort\s*$)", re.IGNORECASE).match(self._text, self._at)
        stage = match["stage"] if match else ""
        self._at = match.end() if match else len(self._text)
        if not stage:
            self._error(self._at, "expected a stage after 'in', such as ramp")
        elif metric is not None and metric.kind is MetricKind.THROUGHPUT:
            self._error(at, "throughput takes no stage; write 'throughput over <duration>' or 'requests … in <stage>'")
        return stage or None

    def _abort(self) -> tuple[bool, int]:
        self._skip_spaces()
        at = self._at
        return self._keyword("abort"), at

    def _end(self, expected: str, hint: str = "") -> None:
        self._skip_spaces()
        if self._at < len(self._text):
            self._error(self._at, f"expected {expected}, not {self._text[self._at :]!r}{hint}")

    def _keyword(self, word: str) -> bool:
        self._skip_spaces()
        match = re.compile(rf"{word}(?!\w)", re.IGNORECASE).match(self._text, self._at)
        if match is not None:
            self._at = match.end()
        return match is not None

    def _skip_spaces(self) -> None:
        while self._at < len(self._text) and self._text[self._at].isspace():
            self._at += 1

    def _error(self, at: int, message: str) -> None:
        self.errors.append(RuleError(self._line, at + 1, message, self._text.strip()))


def can_be_known_early(rule: Rule) -> bool:
    """Return whether the failure of a rule without a window can be certain before the end of the run.

    A count or a maximum above its upper limit stays above it, and a minimum below its lower limit stays below it. For a
    percentile or a failure rate, the confidence interval can exclude the limit. A mean or a throughput can recover, and
    a count can still reach its lower limit.
    """
    kind, from_above = rule.metric.kind, rule.operator.bounds_from_above
    if kind in {MetricKind.MEAN, MetricKind.THROUGHPUT}:
        return False
    if kind in {MetricKind.MAX, MetricKind.REQUESTS} or (kind is MetricKind.FAILURES and rule.unit is Unit.COUNT):
        return from_above
    return not from_above if kind is MetricKind.MIN else True
