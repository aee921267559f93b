"""The grammar of rules and their evaluation. Pure functions: no clock, no I/O, no Locust."""

from loadgate.analysis.decision import RuleOutcome
from loadgate.analysis.interval import Interval
from loadgate.rules.abort import abort_batches, abort_result, recent_view
from loadgate.rules.context import EvaluationContext
from loadgate.rules.evaluate import (
    evaluate,
    evaluate_rule,
    is_steady,
    loaded_stages,
    steady_stages,
)
from loadgate.rules.parser import RuleErrors, parse_rules
from loadgate.rules.reasons import rule_conditions
from loadgate.rules.thresholds import ThresholdError, from_thresholds, read_limits
from loadgate.rules.types import Metric, MetricKind, Operator, Rule, RuleResult, Unit, Verdict
from loadgate.rules.view import RecorderView
from loadgate.rules.whole_run import WholeRun

__all__ = [
    "EvaluationContext",
    "Interval",
    "Metric",
    "MetricKind",
    "Operator",
    "RecorderView",
    "Rule",
    "RuleErrors",
    "RuleOutcome",
    "RuleResult",
    "ThresholdError",
    "Unit",
    "Verdict",
    "WholeRun",
    "abort_batches",
    "abort_result",
    "evaluate",
    "evaluate_rule",
    "from_thresholds",
    "is_steady",
    "loaded_stages",
    "parse_rules",
    "read_limits",
    "recent_view",
    "rule_conditions",
    "steady_stages",
]
