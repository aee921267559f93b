"""Facts about a run that the evaluation of its rules needs."""

from __future__ import annotations

from dataclasses import dataclass

from loadgate.rules.dependence import RunBatches
from loadgate.rules.view import RecorderView
from loadgate.rules.whole_run import WholeRun


@dataclass(frozen=True, slots=True)
class EvaluationContext:
    """Facts about the run that an evaluation needs in addition to the requests.

    - `load_s`: epoch seconds of the start and the end of the load; None means those of the first and last request.
    - `saturated`: a clause that says how the load generator was saturated; None if it was not.
    - `lags`: the event-loop lag of the load generator, with one name for each kind of measurement.
    - `intervals`: compute confidence intervals, which take most of the time of an evaluation.
    - `batches`: the batches of the requests, if they are kept from one evaluation to the next.
    - `every_request_decides`: a rule with too few requests passes if every request keeps its limit (a smoke test).
    - `whole_run`: the facts for rules that are known only at the end; None during the run.
    - `confirmed_requests`: all requests except events of undeclared types, because these may not be requests. If it is
      given, an `overall` rule passes only if the confirmed requests also keep its limit.
    """

    load_s: tuple[float, float] | None = None
    saturated: str | None = None
    lags: RecorderView | None = None
    intervals: bool = True
    batches: RunBatches | None = None
    every_request_decides: bool = False
    confirmed_requests: RecorderView | None = None
    whole_run: WholeRun | None = None
