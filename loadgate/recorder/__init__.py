"""Record requests: latency sketches, totals per second, errors, and the merge of workers. Independent of Locust."""

from loadgate.recorder.cells import Outcome
from loadgate.recorder.coordinated_omission import corrected, expected_interval_ms
from loadgate.recorder.exemplars import RequestIds
from loadgate.recorder.hdr import histogram_log
from loadgate.recorder.in_flight import InFlight
from loadgate.recorder.recorder import MAX_NAMES, OTHER_NAMES, Recorder
from loadgate.recorder.request import FinishedRequest
from loadgate.recorder.scopes import OUTSIDE, OVERALL, RAMP, STEADY, RequestName, Scope, TimeSlot, Totals
from loadgate.recorder.sketch import RELATIVE_ERROR, LatencySketch

__all__ = [
    "MAX_NAMES",
    "OTHER_NAMES",
    "OUTSIDE",
    "OVERALL",
    "RAMP",
    "RELATIVE_ERROR",
    "STEADY",
    "FinishedRequest",
    "InFlight",
    "LatencySketch",
    "Outcome",
    "Recorder",
    "RequestIds",
    "RequestName",
    "Scope",
    "TimeSlot",
    "Totals",
    "corrected",
    "expected_interval_ms",
    "histogram_log",
]
