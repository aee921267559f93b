"""Load profiles and limits of this service. `LOAD_PROFILE` or `loadgate run PROFILE` selects a profile."""

from loadgate import LoadProfile, Stage

# Highest overhead of the service on top of a model's planned times. Goodput counts the streams that keep both limits.
LLM_TTFT_OVERHEAD_MS = 30
LLM_ITL_OVERHEAD_MS = 5

# Limits of each group in milliseconds at the 95th percentile of successful requests, and the share of failed requests.
PERFORMANCE_THRESHOLDS = {
    "health_p95_ms": 100,
    "auth_p95_ms": 500,
    "tasks_p95_ms": 200,
    "overall_failure_rate": 0.01,
}

# The limits above exclude the ramp, so sudden increases of users need separate rules.
RAMP_RULES = ("health: p95 < 500ms in ramp", "auth: p95 < 2s in ramp")

# In an open model, requests keep arriving at their rate, so a queue that the increase has left is measured.
# The base begins after a start, in which connections are opened and caches fill.
RECOVERY_RULES = (
    "health: recovery < 30s after rush",
    "auth: recovery < 30s after rush",
    "overall: failures < 5% in rush",
    "auth: p95 after < 2x before",
)

# What half an hour can show: docs/measurement.md, "Growth of resources".
GROWTH_RULES = (
    "api: memory growth < 10MB/h",
    "worker: memory growth < 40MB/h",
    "redis: memory growth < 10MB/h",
    "api: open_files growth < 1/min",
    "api: threads growth < 20/h",
    "worker: threads growth < 20/h",
    "database: connections growth < 20/h",
)

LOAD_PROFILES: dict[str, LoadProfile] = {
    "light": LoadProfile(
        name="light",
        description="Smoke test: quick validation in development and CI",
        users=10,
        spawn_rate=1.0,
        run_time="1m",
        weight_config={
            "HealthCheckUser": 3,
            "HealthCheckFullUser": 1,
            "AuthUserFlow": 4,
            "TasksMonitoringUser": 1,
        },
    ),
    "medium": LoadProfile(
        name="medium",
        description="Regular performance validation during development",
        users=20,
        spawn_rate=2.0,
        run_time="5m",
        weight_config={
            "HealthCheckUser": 6,
            "HealthCheckFullUser": 1,
            "AuthUserFlow": 9,
            "TasksMonitoringUser": 1,
        },
    ),
    "heavy": LoadProfile(
        name="heavy",
        description="Stress test before production",
        users=50,
        spawn_rate=5.0,
        run_time="10m",
        weight_config={
            "HealthCheckUser": 19,
            "HealthCheckFullUser": 1,
            "AuthUserFlow": 25,
            "TasksMonitoringUser": 1,
        },
    ),
    "spike": LoadProfile(
        name="spike",
        description="Resilience to a sudden increase of users",
        users=100,
        spawn_rate=10.0,
        run_time="3m",
        weight_config={
            "HealthCheckUser": 28,
            "HealthCheckFullUser": 2,
            "AuthUserFlow": 50,
            "TasksMonitoringUser": 2,
        },
        thresholds=PERFORMANCE_THRESHOLDS,
        rules=RAMP_RULES,
    ),
    "spike-recovery": LoadProfile(
        name="spike-recovery",
        description="Base rate, sudden increase, base rate: shows how long the service needs to recover",
        users=150,
        spawn_rate=25.0,
        stages=(
            Stage("20s", rate=25, name="start"),
            Stage("1m", rate=25, name="before"),
            Stage("1m", rate=75, ramp="3s", name="rush"),
            Stage("30s", rate=25, ramp="3s", name="drain"),
            Stage("1m", rate=25, name="after"),
        ),
        weight_config={
            "HealthCheckUser": 28,
            "HealthCheckFullUser": 2,
            "AuthUserFlow": 50,
            "TasksMonitoringUser": 2,
        },
        thresholds={"overall_failure_rate": 0.01},
        rules=RECOVERY_RULES,
    ),
    "endurance": LoadProfile(
        name="endurance",
        description="Long-term stability and memory leaks",
        users=50,
        spawn_rate=1.0,
        run_time="30m",
        weight_config={
            "HealthCheckUser": 19,
            "HealthCheckFullUser": 1,
            "AuthUserFlow": 25,
            "TasksMonitoringUser": 1,
        },
        thresholds=PERFORMANCE_THRESHOLDS,
        rules=GROWTH_RULES,
    ),
    "database": LoadProfile(
        name="database",
        description="Focused database health test",
        users=20,
        spawn_rate=5.0,
        run_time="2m",
        weight_config={"DatabaseHealthUser": 1},
        thresholds={"database_p95_ms": 100, "overall_failure_rate": 0.01},
    ),
    "llm": LoadProfile(
        name="llm",
        description="Overhead of the LLM endpoints on a simulated model; the target must not call live models",
        users=25,
        spawn_rate=2.5,
        run_time="5m",
        weight_config={"LLMStreamUser": 4, "LLMTaskUser": 1},
        rules=(
            f"llm_ttft_overhead: p95 < {LLM_TTFT_OVERHEAD_MS}ms",
            f"llm_itl_overhead: p95 < {LLM_ITL_OVERHEAD_MS}ms",
            "overall: failures < 1%",
        ),
    ),
}
