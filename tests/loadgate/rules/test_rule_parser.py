"""Test the rule grammar: accepted rules, and the column of each error."""

import itertools

import pytest

from loadgate.rules import Metric, MetricKind, Operator, Rule, RuleErrors, Unit, parse_rules

P95 = Metric(MetricKind.PERCENTILE, 95)
FAILURES = Metric(MetricKind.FAILURES)

GOOD = [
    ("auth: p95 < 500ms", Rule("auth", P95, Operator.LT, 500, Unit.MS)),
    ("overall: failures < 1%", Rule("overall", FAILURES, Operator.LT, 1, Unit.PERCENT)),
    ("overall: failures <= 0", Rule("overall", FAILURES, Operator.LE, 0, Unit.COUNT)),
    ("Auth - Login: p99 < 1s", Rule("Auth - Login", Metric(MetricKind.PERCENTILE, 99), Operator.LT, 1000, Unit.MS)),
    ("health: p95 < 100ms over 10s abort", Rule("health", P95, Operator.LT, 100, Unit.MS, 10, abort=True)),
    ("tasks: requests > 100", Rule("tasks", Metric(MetricKind.REQUESTS), Operator.GT, 100, Unit.COUNT)),
    (
        "GET http://host:80/x: p99.9<=1.5 s over 1h30m",
        Rule("GET http://host:80/x", Metric(MetricKind.PERCENTILE, 99.9), Operator.LE, 1500, Unit.MS, 5400),
    ),
    ("  a  :  MEAN  >=  250us  ", Rule("a", Metric(MetricKind.MEAN), Operator.GE, 0.25, Unit.MS)),
    ("a: max < 1min abort", Rule("a", Metric(MetricKind.MAX), Operator.LT, 60_000, Unit.MS, abort=True)),
    ("a: min > 0.1ms", Rule("a", Metric(MetricKind.MIN), Operator.GT, 0.1, Unit.MS)),
    (
        "overall: throughput >= 50 / S OVER 1m ABORT",
        Rule("overall", Metric(MetricKind.THROUGHPUT), Operator.GE, 50, Unit.PER_SECOND, 60, abort=True),
    ),
    ("a: p95 < 1ms in ramp", Rule("a", P95, Operator.LT, 1, Unit.MS, stage="ramp")),
    ("a: p95 < 1ms over 5s In the rush  ABORT", Rule("a", P95, Operator.LT, 1, Unit.MS, 5, True, "the rush")),
    ("a in b: failures < 5% in stage 2", Rule("a in b", FAILURES, Operator.LT, 5, Unit.PERCENT, stage="stage 2")),
    ("a: p95 < 1ms in aborted calls", Rule("a", P95, Operator.LT, 1, Unit.MS, stage="aborted calls")),
    ("over: p50 < 1ms", Rule("over", Metric(MetricKind.PERCENTILE, 50), Operator.LT, 1, Unit.MS)),
    ("a: p99.9999 < 1ms", Rule("a", Metric(MetricKind.PERCENTILE, 99.9999), Operator.LT, 1, Unit.MS)),
    (
        "api: memory growth < 5MB/h",
        Rule("api", Metric(MetricKind.GROWTH, quantity="memory"), Operator.LT, 5, Unit.MB_PER_HOUR),
    ),
    (
        "api: Memory  GROWTH <= 1 GiB / d",
        Rule("api", Metric(MetricKind.GROWTH, quantity="Memory"), Operator.LE, 44.739242667, Unit.MB_PER_HOUR),
    ),
    (
        "api: open_files growth < 1/min",
        Rule("api", Metric(MetricKind.GROWTH, quantity="open_files"), Operator.LT, 60, Unit.PER_HOUR),
    ),
    (
        "api: memory lasts > 7d of 512MB",
        Rule("api", Metric(MetricKind.LASTS, quantity="memory"), Operator.GT, 7, Unit.DAYS, capacity=512, in_mb=True),
    ),
    (
        "api: open_files lasts >= 12h of 1024",
        Rule("api", Metric(MetricKind.LASTS, quantity="open_files"), Operator.GE, 0.5, Unit.DAYS, capacity=1024),
    ),
    (
        "auth: recovery < 2min after the rush",
        Rule("auth", Metric(MetricKind.RECOVERY), Operator.LT, 120, Unit.SECONDS, stage="the rush"),
    ),
    (
        "auth: p95 after < 1.1x before",
        Rule("auth", P95, Operator.LT, 1.1, Unit.TIMES, stage="after", compared_with="before"),
    ),
    (
        "auth: p95 the end<=2x stage 1",
        Rule("auth", P95, Operator.LE, 2, Unit.TIMES, stage="the end", compared_with="stage 1"),
    ),
    ("capacity >= 150/s", Rule("overall", Metric(MetricKind.CAPACITY), Operator.GE, 150, Unit.PER_SECOND)),
    (" CAPACITY>1.5 / S", Rule("overall", Metric(MetricKind.CAPACITY), Operator.GT, 1.5, Unit.PER_SECOND)),
    ("capacity: p50 < 1ms", Rule("capacity", Metric(MetricKind.PERCENTILE, 50), Operator.LT, 1, Unit.MS)),
    ("growth: p50 < 1ms", Rule("growth", Metric(MetricKind.PERCENTILE, 50), Operator.LT, 1, Unit.MS)),
    ("größe/äöü: p95 < 1ms", Rule("größe/äöü", P95, Operator.LT, 1, Unit.MS)),
]


@pytest.mark.parametrize(("text", "rule"), GOOD, ids=[text for text, _ in GOOD])
def test_a_rule_is_read_as_it_is_written(text: str, rule: Rule) -> None:
    assert parse_rules([text]) == [rule]


@pytest.mark.parametrize("rule", [rule for _, rule in GOOD], ids=str)
def test_a_rule_prints_in_its_own_grammar(rule: Rule) -> None:
    assert parse_rules([str(rule)]) == [rule]


BAD = [
    ("auth p95 < 5ms", [(15, "no ':'")]),
    (": p95 < 5ms", [(1, "expected a group, a request name or 'overall'")]),
    ("auth:", [(6, "expected a metric")]),
    ("auth: q95 < 5ms", [(7, "unknown metric 'q95'")]),
    ("auth: p95x < 5ms", [(7, "unknown metric 'p95x'")]),
    ("auth: percentile < 5ms", [(7, "unknown metric 'percentile'")]),
    ("auth: p100 < 5ms", [(7, "above 0 and below 100")]),
    ("auth: p0 < 5ms", [(7, "above 0 and below 100")]),
    ("auth: p99.99999 < 5ms", [(7, "at most 4 decimals")]),
    ("auth: p99.99999999999999 < 5ms", [(7, "at most 4 decimals")]),
    (f"auth: p95 < {'9' * 400}ms", [(13, "a limit is at most 1,000,000,000,000,000")]),
    (f"auth: requests < {'9' * 20}", [(18, "a limit is at most 1,000,000,000,000,000")]),
    ("auth: p95", [(10, "expected '<'")]),
    ("auth: p95 500ms", [(11, "expected '<'")]),
    ("auth: p95 == 500ms", [(11, "unknown operator '=='")]),
    ("auth: p95 < ", [(12, "expected a limit")]),
    ("auth: p95 < fast", [(13, "not 'fast'")]),
    ("auth: p95 < -5ms", [(13, "not '-5ms'")]),
    ("auth: p95 < 5msec", [(13, "not '5msec'")]),
    ("auth: p95 < 1.2.3ms", [(13, "not '1.2.3ms'")]),
    ("auth: p95 < 500", [(16, "needs a unit")]),
    ("auth: p95 < 5%", [(14, "needs a unit")]),
    ("auth: failures < 5ms", [(19, "takes '%' or no unit, not 'ms'")]),
    ("auth: failures < 101%", [(18, "at most 100 %")]),
    ("auth: failures < 0%", [(16, "write '<= 0'")]),
    ("auth: requests > 5%", [(19, "takes no unit, not '%'")]),
    ("auth: throughput > 5", [(21, "takes '/s'")]),
    ("auth: p95 < 5ms for 10s", [(17, "not 'for 10s'")]),
    ("auth: p95 < 5ms abort over 10s", [(23, "not 'over 10s'")]),
    ("auth: p95 < 5ms over", [(21, "expected a duration")]),
    ("auth: p95 < 5ms over soon abort", [(22, "expected a duration")]),
    ("auth: p95 < 5ms over 10", [(22, "with a unit")]),
    ("auth: p95 < 5ms over 250ms", [(22, "whole number of seconds")]),
    ("auth: p95 < 5ms over 0s", [(22, "a duration must be above 0")]),
    ("auth: p95 < 5ms over 10x", [(22, "'10x' is not a duration")]),
    ("auth: mean < 5ms abort", [(18, "known only at the end")]),
    ("auth: requests > 5 abort", [(20, "known only at the end")]),
    ("auth: failures > 5 abort", [(20, "known only at the end")]),
    ("auth: max > 5ms abort", [(17, "known only at the end")]),
    ("auth: min < 5ms abort", [(17, "known only at the end")]),
    ("auth: throughput > 5/s abort", [(24, "known only at the end")]),
    ("auth: p95 < 5ms in", [(19, "expected a stage")]),
    ("auth: p95 < 5ms in  abort", [(21, "expected a stage")]),
    ("auth: throughput > 5/s in ramp", [(24, "throughput takes no stage")]),
    ("auth: p95 < 5ms inramp", [(17, "not 'inramp'")]),
    ("auth: failures < 0.5", [(18, "whole number, not 0.5; write 0.5% for a failure rate")]),
    ("auth: failures <= 1.5 abort", [(19, "whole number")]),
    ("auth: requests > 99.9", [(18, "whole number, not 99.9")]),
    ("api: growth < 5MB/h", [(6, "expected a quantity before 'growth', such as 'memory growth'")]),
    ("api: memory < 5MB/h", [(6, "unknown metric 'memory'")]),
    ("api: memory growth", [(19, "expected '<'")]),
    ("api: memory growth > 5MB/h", [(20, "memory growth takes '<' or '<=', not '>'")]),
    ("api: memory growth < 5MB", [(22, "expected a growth, such as 5MB/h or 1/min, not '5MB'")]),
    ("api: memory growth < 5MB/week", [(22, "expected a growth")]),
    (
        "api: memory growth < 5Mb/h over 10s",
        [(28, "expected the end, not 'over 10s'; memory growth takes no window, stage or 'abort'")],
    ),
    ("api: memory growth < 5MB/h abort", [(28, "not 'abort'")]),
    (f"api: memory growth < {'9' * 400}MB/h", [(22, "a limit is at most 1,000,000,000,000,000")]),
    ("api: memory lasts > 7d", [(23, "expected the limit of the resource, such as 'of 512MB'")]),
    ("api: memory lasts < 7d of 512MB", [(19, "memory lasts takes '>' or '>=', not '<'")]),
    ("api: memory lasts > 7d of 0", [(27, "above 0")]),
    ("api: memory lasts > 7 of 512MB", [(21, "expected a length of time, such as 7d")]),
    ("auth: recovery < 30s", [(21, "expected 'after <stage>'")]),
    ("auth: recovery < 30s after", [(27, "expected a stage after 'after'")]),
    ("auth: recovery < 30s in rush", [(22, "expected 'after <stage>'")]),
    ("auth: recovery > 30s after rush", [(16, "recovery takes '<' or '<=', not '>'")]),
    ("auth: recovery < fast", [(18, "expected a length of time, such as 30s or 2min, not 'fast'")]),
    ("auth: p95 after < 500ms", [(19, "expected a factor to compare two stages, such as 1.1x, not '500ms'")]),
    ("auth: p95 in ramp < 2s", [(21, "not '2s'; a limit for one stage ends with 'in <stage>'")]),
    ("auth: p95 after < 1.1x", [(23, "expected the stage to compare with, such as 'before'")]),
    ("auth: requests after > 2x before", [(15, "only percentiles can be compared between stages, not requests")]),
    ("capacity", [(9, "expected '<'")]),
    ("capacity < 150/s", [(10, "capacity takes '>' or '>=', not '<'")]),
    ("capacity >= 150", [(16, "capacity takes '/s'")]),
    ("capacity >= 150/s abort", [(19, "capacity takes no window, stage or 'abort'")]),
    ("auth: capacity >= 150/s", [(7, "a capacity has no scope; write 'capacity >= 150/s'")]),
    ("   auth: p95 < 500", [(19, "needs a unit")]),
    (
        "a: nope ! 5 over x more",
        [(4, "unknown metric"), (9, "unknown operator"), (18, "duration"), (20, "not 'more'")],
    ),
]


@pytest.mark.parametrize(("text", "expected"), BAD, ids=[text for text, _ in BAD])
def test_an_invalid_rule_is_refused_with_the_column_of_its_error(text: str, expected: list[tuple[int, str]]) -> None:
    with pytest.raises(RuleErrors) as refusal:
        parse_rules([text])

    errors = refusal.value.errors
    assert [error.column for error in errors] == [column for column, _ in expected]
    for error, (_, part) in zip(errors, expected, strict=True):
        assert part in error.message
        assert "\n" not in str(error)


def test_all_errors_are_reported_together_with_their_lines() -> None:
    text = "# limits\n\nauth: p95 < 500\nhealth: p95 < 100ms\n  # more\ntasks: nope < 5ms\n"

    with pytest.raises(RuleErrors) as refusal:
        parse_rules(text)

    assert [(error.line, error.column) for error in refusal.value.errors] == [(3, 16), (6, 8)]
    assert str(refusal.value).splitlines() == [str(error) for error in refusal.value.errors]
    assert str(refusal.value).startswith("rule 3, column 16: ")


def test_blank_lines_and_comments_are_skipped() -> None:
    assert parse_rules(["", "  ", "# a: p95 < x"]) == []
    assert len(parse_rules("a: p95 < 1ms\r\nb: p95 < 1ms")) == 2


def test_random_words_never_crash_the_parser() -> None:
    words = ["a:", "p95", "<", "5ms", "over", "10s", "abort", "%", ":"]
    lines = [" ".join(parts) for parts in itertools.permutations(words, 4)]

    with pytest.raises(RuleErrors) as refusal:
        parse_rules(lines)

    assert all(1 <= error.column <= len(error.text) + 1 for error in refusal.value.errors)
    refused = {error.line for error in refusal.value.errors}
    assert [line for number, line in enumerate(lines, start=1) if number not in refused] == [
        "a: p95 < 5ms",
        "a: p95 < 10s",
    ]
