"""Random requests for the tests of the recorder."""

import random
from typing import Any

from loadgate.recorder import FinishedRequest, Outcome, Recorder

START_S = 1_700_000_000


def record(recorder: Recorder, call: dict[str, Any]) -> None:
    """Record a request that has its stage among its fields."""
    fields = dict(call)
    stage = fields.pop("stage")
    recorder.record(FinishedRequest(**fields), stage)


def fill(recorder: Recorder, seed: int = 1, count: int = 500) -> list[dict[str, Any]]:
    """Record random requests. Return the arguments of each."""
    rnd = random.Random(seed)
    calls = []
    for _ in range(count):
        group, name = rnd.choice([("health", "ping"), ("health", "root"), ("auth", "login"), ("", "docs")])
        failed = rnd.random() < 0.1
        calls.append(
            {
                "name": name,
                "outcome": Outcome.FAILURE if failed else Outcome.SUCCESS,
                "start_s": START_S + rnd.random() * 30,
                "latency_ms": rnd.lognormvariate(3, 1),
                "response_bytes": rnd.randrange(1000),
                "error": rnd.choice(["500", "timed out"]) if failed else None,
                "stage": rnd.choice(["ramp", "steady"]),
                "group": group,
            }
        )
        record(recorder, calls[-1])
    return calls


def comparable(recorder: Recorder) -> dict[str, Any]:
    data = recorder.to_json()
    data["series"] = sorted(data["series"], key=lambda row: (row["group"], row["name"], row["outcome"], row["stage"]))
    data["in_flight"] = sorted(data.get("in_flight", []), key=lambda row: (row["group"], row["name"]))
    data["errors"] = sorted(data["errors"])
    return data
