"""Records of generator processes for tests."""

from __future__ import annotations

from typing import Any

from loadgate.run.document.environment import GeneratorRecord


def generator(process: str, **more: Any) -> GeneratorRecord:
    """Return the record of a healthy process."""
    usual: dict[str, Any] = {
        "process": process,
        "cpu_mean_share": 0.2,
        "cpu_peak_share": 0.3,
        "lag_p99_ms": 2.0,
        "lag_max_ms": 9.0,
        "lag_samples": 1000,
        "cpu_limit_share": 0.9,
        "lag_limit_ms": 250.0,
        "problem": None,
    }
    return GeneratorRecord(**usual | more)
