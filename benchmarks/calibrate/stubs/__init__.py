"""Stub servers with a known truth: what leaks, when a disturbance is over, how latencies depend on each other.

Each module is a program, `python -m benchmarks.calibrate.stubs.MODULE`, that prints its URL and serves until SIGTERM or
until its parent process ends. `started.py` starts them, and imports none of them.
"""
