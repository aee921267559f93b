"""The load profiles and limits of this service. Add a profile here; pick one with LOAD_PROFILE or `loadgate run`."""

from loadgate import LoadProfile, Stage

# What the service may add to a model's own times, in milliseconds; goodput counts the streams that keep to both.
LLM_TTFT_OVERHEAD_MS = 30
LLM_ITL_OVERHEAD_MS = 5

# Milliseconds at the 95th percentile of successful requests, per group; the failure rate is a fraction of all requests.
PERFORMANCE_THRESHOLDS = {
    "health_p95_ms": 100,
    "auth_p95_ms": 500,
    "tasks_p95_ms": 200,
    "overall_failure_rate": 0.01,
}

# A rush of new users lies in the ramp, which the limits above leave out: what it may cost while it lasts.
RUSH_RULES = ("health: p95 < 500ms in ramp", "auth: p95 < 2s in ramp")

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
        description="Resilience to a sudden rush of users",
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
        rules=RUSH_RULES,
    ),
    "spike-recovery": LoadProfile(
        name="spike-recovery",
        description="A base load, a sudden rush, the base load again: does it recover?",
        spawn_rate=10.0,
        stages=(
            Stage("1m", users=20, name="before"),
            Stage("1m", users=100, ramp="8s", name="spike"),
            Stage("1m30s", users=20, ramp="8s", name="after"),
        ),
        weight_config={
            "HealthCheckUser": 28,
            "HealthCheckFullUser": 2,
            "AuthUserFlow": 50,
            "TasksMonitoringUser": 2,
        },
        thresholds=PERFORMANCE_THRESHOLDS,
        rules=RUSH_RULES,
    ),
    "endurance": LoadProfile(
        name="endurance",
        description="Long-running stability; shows memory leaks",
        users=50,
        spawn_rate=1.0,
        run_time="30m",
        weight_config={
            "HealthCheckUser": 19,
            "HealthCheckFullUser": 1,
            "AuthUserFlow": 25,
            "TasksMonitoringUser": 1,
        },
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
        description="What the LLM endpoints add to a simulated model; needs a target that cannot spend money",
        users=25,
        spawn_rate=2.5,
        run_time="5m",
        weight_config={"LLMStreamUser": 4, "LLMTaskUser": 1},
        rules=(
            f"llm_ttft_overhead: p95 <= {LLM_TTFT_OVERHEAD_MS}ms",
            f"llm_itl_overhead: p95 <= {LLM_ITL_OVERHEAD_MS}ms",
            "overall: failures < 1%",
        ),
    ),
}
