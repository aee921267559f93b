"""The routes for models, health, statistics and policies, and their access."""

from __future__ import annotations

from pathlib import Path

import pytest

from inference_core.core.telemetry.metrics import Metrics
from inference_core.llm.telemetry import LLMMetrics
from inference_core.llm.types import Usage
from tests.service.conftest import AppFactory
from tests.support.accounts import Api
from tests.support.llm import config_file

pytestmark = pytest.mark.anyio

# Behind a port where nobody listens: told to be a simulator, so that tests may call it.
CONFIG = """
providers:
  near: {base_url: "http://127.0.0.1:9/v1", openai_compatible: true, simulator: true}
models:
  small: {provider: near}
tasks:
  explain: {primary: small}
settings:
  breaker: {failures: 2, open_s: 60}
param_policies:
  models:
    small: {rename: {max_tokens: max_completion_tokens}, drop: [top_p], forbid: [verbosity]}
"""


async def test_models_and_health_say_what_is_there_and_that_it_costs_nothing(api: Api) -> None:
    models = (await api.get("/llm/models")).json()
    assert models == {"models": {"gpt-5-mini": True, "gemini-2.5-flash": True}, "success": True}
    assert (await api.get("/llm/health")).json() == {
        "status": "healthy",
        "available_models": 2,
        "total_models": 2,
        "models": models["models"],
        "provider_mode": "auto",
        "live_calls_possible": False,
    }
    assert (await api.get("/health/")).json()["components"]["llm"]["status"] == "healthy"


async def test_target_that_could_spend_money_says_so(
    start_app: AppFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-nobody")
    async with start_app(allow_live_llm=True) as api:
        assert (await api.get("/llm/health")).json()["live_calls_possible"] is True
    async with start_app(allow_live_llm=False) as api:
        assert (await api.get("/llm/health")).json()["live_calls_possible"] is False


async def test_provider_that_fails_is_left_alone_and_health_says_so(start_app: AppFactory, tmp_path: Path) -> None:
    async with start_app(llm_config_file=config_file(tmp_path, CONFIG)) as api:
        # Asked twice in one request, for a failed connection may be luck.
        refused = await api.post("/llm/explain/stream", {"question": "Why?"})
        assert (refused.status_code, refused.json()["code"]) == (503, "llm_upstream_unavailable")
        refused = await api.post("/llm/explain/stream", {"question": "Why?"})
        assert (refused.status_code, refused.json()["code"]) == (503, "llm_circuit_open")
        assert 0 < int(refused.headers["retry-after"]) <= 60
        assert (await api.get("/llm/models")).json()["models"] == {"small": False}
        assert (await api.get("/llm/health")).json()["status"] == "degraded"
        await api.health.probe_features()
        component = (await api.get("/health/")).json()["components"]["llm"]
        assert (component["status"], component["message"]) == ("degraded", "Circuit breaker open: near.")
        for set_gauge in api.state.gauges:
            set_gauge()
        metrics = (await api.client.get("/metrics")).text
        assert 'llm_circuit_breaker_open{provider="near"} 1.0' in metrics
        for kind in ("llm_upstream_unavailable", "llm_circuit_open"):
            assert f'llm_errors_total{{kind="{kind}",provider="near"}} 1.0' in metrics


async def test_metrics_tell_of_streams(api: Api) -> None:
    await api.post("/llm/explain/stream", {"question": "Why?"})
    metrics = (await api.client.get("/metrics")).text
    assert "llm_streams_active 0.0" in metrics
    assert 'llm_time_to_first_token_seconds_count{model="gpt-5-mini",provider="simulated"} 1.0' in metrics
    for direction in ("input", "output"):
        assert f'llm_tokens_total{{direction="{direction}",model="gpt-5-mini",provider="simulated"}}' in metrics


def test_the_cost_of_streams_is_counted_in_dollars() -> None:
    metrics = Metrics()
    counted = LLMMetrics(metrics)
    for _ in range(2):
        counted.count_answer("near", "small", Usage(10, 20), 1_500_000_000)
    labels = {"provider": "near", "model": "small"}
    assert metrics.registry.get_sample_value("llm_cost_usd_total", labels) == 3.0
    assert metrics.registry.get_sample_value("llm_tokens_total", {**labels, "direction": "output"}) == 40


async def test_policies_are_shown_while_debugging_only(start_app: AppFactory, tmp_path: Path) -> None:
    config = config_file(tmp_path, CONFIG)
    async with start_app(llm_config_file=config) as api:
        assert (await api.get("/llm/param-policy/near")).status_code == 404
    async with start_app(llm_config_file=config, debug=True) as api:
        policy = (await api.get("/llm/param-policy/near?model=small")).json()
        assert policy["parameters"]["max_tokens"] == {"action": "rename", "name": "max_completion_tokens"}
        assert policy["parameters"]["top_p"]["action"] == "drop"
        assert policy["parameters"]["verbosity"]["action"] == "forbid"
        assert (await api.get("/llm/param-policy/near")).json()["parameters"]["top_p"]["action"] == "allow"
        for path in ("far", "near?model=large"):
            assert (await api.get(f"/llm/param-policy/{path}")).status_code == 404


READS = ("/llm/models", "/llm/stats", "/llm/health")
ASKS = (("/llm/explain/stream", {"question": "Why?"}), ("/llm/conversation", {"user_input": "Hi"}))


@pytest.mark.parametrize(
    ("mode", "expected"),
    [("public", [200, 200, 200]), ("user", [401, 200, 200]), ("superuser", [401, 403, 200]), (None, [401, 200, 200])],
)
async def test_access_follows_its_setting_and_is_for_users_in_production(
    start_app: AppFactory, mode: str | None, expected: list[int]
) -> None:
    settings = {"llm_api_access_mode": mode, "environment": "production", "secret_key": "s" * 32}
    async with start_app(**settings, llm_simulate_in_production=True) as api:
        callers = [None, await api.login(await api.register()), await api.login(await api.register_superuser())]
        for path in READS:
            assert [(await api.get(path, caller)).status_code for caller in callers] == expected
        for path, body in ASKS:
            assert [(await api.post(path, body, caller)).status_code for caller in callers] == expected
