"""Run documents for the tests of the report, and the text of a page without markup."""

from __future__ import annotations

import re
from html import unescape

from loadgate.recorder import FinishedRequest, Outcome
from loadgate.recorder.resources import ResourceColumn
from loadgate.rules import EvaluationContext, evaluate, parse_rules
from loadgate.run.document import RunDocument, TargetRecord
from loadgate.run.judgement import EndedBy, Ending
from loadgate.run.load_state import Cause, Stopped
from loadgate.run.plan import Plan
from loadgate.run.state import Run
from loadgate.runner.run import with_target
from loadgate.shape.profile import LoadProfile
from tests.support.run_documents import as_json, document_of, judged, stored
from tests.support.synthetic_run import Synthetic, synthetic_document, synthetic_run

HOSTILE = '</script><script>document.title="owned"</script><b>&\u202e"quoted" ☃'
SHORT = Synthetic(duration_s=60, names=6, requests_per_s=20, failure_share=0.02, failure_limit="5%", all_resources=True)
STARTED_S = 1_777_593_600.4


def text_of(html: str) -> str:
    """Return the text of a page in one line."""
    body = re.sub(r"(?s)<(script|style|svg)\b.*?</\1>", " ", html)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", body)).split())


def bare_run(*, rules: list[str], ended_by: EndedBy = EndedBy.TIME, lasted_s: float = 60.0) -> Run:
    """A run without recorded requests."""
    profile = LoadProfile(name="small", description="made for a test", users=5, run_time="1m")
    plan = Plan(profile, tuple(parse_rules(rules)), "http://127.0.0.1:1", 5, 1.0, 60.0, 10.0, 1, {"AUser": 1})
    run = Run(plan, started_s=STARTED_S, load=Stopped(Cause(ended_by), STARTED_S + lasted_s))
    run.stages = [(0.0, "ramp"), (STARTED_S + 5, "steady")]
    return run


def empty() -> RunDocument:
    """A run without requests."""
    return judged(bare_run(rules=["overall: p95 < 1s"]))


def one_request() -> RunDocument:
    """A run with a single request and without rules."""
    run = bare_run(rules=[])
    run.recorder.record(FinishedRequest("only", Outcome.SUCCESS, start_s=STARTED_S + 2, latency_ms=12.5))
    return judged(run)


def only_failures() -> RunDocument:
    """A run whose target was never reachable."""
    run = bare_run(rules=["overall: failures < 1%", "g: p95 < 1s"])
    for number in range(40):
        run.recorder.record(
            FinishedRequest(
                "ping",
                Outcome.FAILURE,
                start_s=STARTED_S + number,
                latency_ms=1.0,
                error="ConnectionRefusedError",
                group="g",
            )
        )
    return judged(run)


def interrupted() -> RunDocument:
    """A run that was interrupted after 12 of 60 s."""
    run = bare_run(rules=["g: p95 < 1s"], ended_by=EndedBy.INTERRUPT, lasted_s=12.0)
    for number in range(100):
        run.recorder.record(
            FinishedRequest(
                "ping", Outcome.SUCCESS, start_s=STARTED_S + number / 10, latency_ms=5 + number % 7, group="g"
            )
        )
    return judged(run)


def aborted() -> RunDocument:
    """A run that its rule aborted after 12 of 60 s."""
    run = bare_run(rules=["g: p95 < 3ms over 2s abort"], ended_by=EndedBy.RULE, lasted_s=12.0)
    for number in range(600):
        run.recorder.record(
            FinishedRequest(
                "ping", Outcome.SUCCESS, start_s=STARTED_S + number / 50, latency_ms=5 + number % 7, group="g"
            )
        )
    context = EvaluationContext(load_s=(STARTED_S, STARTED_S + 12.0))
    (broken,) = evaluate(run.plan.rules, run.recorder, context).results
    run.load = Stopped(Cause(EndedBy.RULE, broken), STARTED_S + 12.0)
    return judged(run)


def unfinished() -> RunDocument:
    """A run with a lost worker and a request without a response."""
    run = bare_run(rules=["g: p95 < 1s"])
    run.workers.lost["w1"] = "worker w1: it went away"
    for number in range(100):
        run.recorder.record(
            FinishedRequest("ping", Outcome.SUCCESS, start_s=STARTED_S + number / 2, latency_ms=5.0, group="g")
        )
    run.recorder.record(
        FinishedRequest(
            "hang",
            Outcome.FAILURE,
            start_s=STARTED_S + 50,
            latency_ms=10_000,
            error="no answer before the run ended",
            group="g",
        )
    )
    return judged(run)


def hostile() -> RunDocument:
    """A run in which every external text is markup."""
    run = bare_run(rules=["overall: failures < 1%"])
    for number in range(50):
        run.recorder.record(
            FinishedRequest(HOSTILE, Outcome.SUCCESS, start_s=STARTED_S + number, latency_ms=5.0, group=HOSTILE)
        )
    run.recorder.record(
        FinishedRequest(HOSTILE, Outcome.FAILURE, start_s=STARTED_S + 9, latency_ms=5.0, error=HOSTILE + "\ud800")
    )
    run.record_exception(RuntimeError(HOSTILE), None)
    for quantity in (
        HOSTILE,
        f"{HOSTILE}.limit",
        f"{HOSTILE}.sum",
        f"{HOSTILE}.count",
        ".limit",
        ".sum",
        ".count",
        "cpu",
    ):
        run.resources.put(int(STARTED_S) + 1, {ResourceColumn(HOSTILE, quantity): 5.0})
    run.resources.notes.append(HOSTILE)
    data = as_json(judged(run))
    data["run"]["host"] = data["run"]["profile"]["description"] = HOSTILE
    data["verdict"]["notes"].append(HOSTILE)
    return document_of(data)


def measured() -> RunDocument:
    """A run with requests and a measure."""
    run = bare_run(rules=["g: p95 < 1s"])
    for number in range(50):
        run.recorder.record(
            FinishedRequest("stream", Outcome.SUCCESS, start_s=STARTED_S + number, latency_ms=50.0, group="g")
        )
        run.recorder.record_measure("first token", 20.0, at_s=STARTED_S + number, group="g")
    return judged(run)


def full() -> RunDocument:
    """A run with everything: several groups, failures, slow requests, and a target with many resources."""
    target = TargetRecord(command=["serve"], url="http://127.0.0.1:1", ended=None)
    return with_target(stored(synthetic_document(SHORT)), target)


def target_died() -> RunDocument:
    """A run that ended because its managed target was killed."""
    document = full()
    assert document.target is not None
    run = document.run.model_copy(update={"ending": Ending.INTERRUPTED})
    how = "the target ended with signal SIGKILL; its last lines:\n    serving"
    target = document.target.model_copy(update={"ended": how})
    return with_target(document.model_copy(update={"run": run}), target)


def saturated() -> RunDocument:
    """A run whose load generator was saturated."""
    return stored(synthetic_document(Synthetic(duration_s=60, names=6, requests_per_s=20, saturated=True)))


def failed() -> RunDocument:
    """A run with failed rules."""
    return stored(synthetic_document(Synthetic(duration_s=60, names=6, requests_per_s=20, p95_limit_ms=20)))


KINDS = {
    made.__name__: made
    for made in (
        full,
        failed,
        saturated,
        empty,
        one_request,
        only_failures,
        interrupted,
        target_died,
        aborted,
        unfinished,
        hostile,
        measured,
    )
}

__all__ = ["HOSTILE", "KINDS", "Synthetic", "stored", "synthetic_run", "text_of"]
