"""The providers that may be called, by mode, keys, environment, and the setting that forbids costs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from inference_core.llm import errors
from inference_core.llm.config.loader import parse_llm_config
from inference_core.llm.gateway.candidates import Candidate
from inference_core.llm.gateway.gateway import Gateway
from inference_core.llm.providers.simulated import SimulatedProvider
from inference_core.llm.types import SamplingParams
from tests.service.llm.gateway.support import ANSWER, KEYS, PRODUCTION, gateway, question, read, settings
from tests.support.wire_server import wire_server

pytestmark = pytest.mark.anyio

SECOND_ONLY = {"SECOND_KEY": "sk-2"}
NOBODY: Mapping[str, str] = {}


def who(candidates: list[Candidate]) -> list[tuple[str, str]]:
    return [(candidate.call.name, candidate.provider) for candidate in candidates]


BOTH = [("big", "first"), ("small", "second")]
STAND_IN = [("big", "simulated")]


@pytest.mark.parametrize(
    ("keys", "changes", "expected"),
    [
        (KEYS, {}, BOTH),
        (SECOND_ONLY, {}, [("small", "second")]),
        (NOBODY, {}, STAND_IN),
        ({"FIRST_KEY": ""}, {}, STAND_IN),
        (KEYS, {"llm_provider_mode": "simulated"}, STAND_IN),
        (KEYS, {"llm_provider_mode": "live"}, BOTH),
        (NOBODY, {"llm_provider_mode": "live"}, None),
        (KEYS, {"allow_live_llm": False}, STAND_IN),
        (KEYS, {"allow_live_llm": False, "llm_provider_mode": "live"}, None),
        (KEYS, {"environment": "testing"}, STAND_IN),
        (KEYS, {"environment": "testing", "allow_live_llm": True}, BOTH),
        (KEYS, PRODUCTION, BOTH),
        (NOBODY, PRODUCTION, None),
        (KEYS, PRODUCTION | {"allow_live_llm": False}, None),
        (NOBODY, PRODUCTION | {"llm_simulate_in_production": True}, STAND_IN),
        (NOBODY, PRODUCTION | {"llm_provider_mode": "simulated"}, STAND_IN),
        (NOBODY, PRODUCTION | {"llm_provider_mode": "live", "llm_simulate_in_production": True}, None),
    ],
)
async def test_who_may_serve_a_task(
    keys: Mapping[str, str], changes: dict[str, Any], expected: list[tuple[str, str]] | None
) -> None:
    async with gateway(keys, changes) as opened:
        if expected is None:
            with pytest.raises(errors.LLMNotConfiguredError):
                opened.candidates("explain")
            assert opened.availability() == dict.fromkeys(("big", "small", "trial"), False)
        else:
            assert who(opened.candidates("explain")) == expected
            assert opened.availability()[expected[0][0]]


@pytest.mark.parametrize("mode", ["auto", "live", "simulated"])
async def test_without_permission_no_connection_is_attempted_not_even_to_this_machine(mode: str) -> None:
    async with wire_server(ANSWER) as server:
        changes = {"allow_live_llm": False, "llm_provider_mode": mode}
        async with gateway(KEYS, changes, first=server.url, second=server.url) as opened:
            # There is no client that could connect.
            assert all(isinstance(provider, SimulatedProvider) for provider in opened.providers.values())
            assert not opened.live_calls_possible
            for model in (None, "big", "small"):
                try:
                    await read(opened, model=model)
                    completion = await opened.complete("explain", question(), model)
                    assert completion.simulated
                except errors.LLMNotConfiguredError:
                    assert mode == "live"
        assert server.connections == 0


async def test_with_permission_the_same_server_is_called() -> None:
    async with wire_server(ANSWER) as server, gateway(first=server.url) as opened:
        assert opened.live_calls_possible
        await read(opened)
        assert server.connections == 1


SIMULATOR = """
providers:
  sim: {{base_url: "{url}/v1", openai_compatible: true, simulator: true}}
  plain: {{base_url: "{url}/v1", openai_compatible: true}}
models:
  over-the-network: {{provider: sim}}
  just-a-server: {{provider: plain}}
tasks:
  explain: {{primary: over-the-network}}
"""


async def test_a_simulator_behind_the_network_is_called_if_the_configuration_says_that_it_is_one() -> None:
    async with wire_server(ANSWER) as server:
        config = parse_llm_config(SIMULATOR.format(url=server.url), "llm.yaml", {})
        async with Gateway.open(settings(allow_live_llm=False), config, {}) as opened:
            assert not opened.live_calls_possible
            async with await opened.open_stream("explain", question(fault="reset")) as stream:
                assert (stream.provider, stream.simulated) == ("sim", True)
            assert server.requests[0].headers["x-llm-fault"] == "reset"
            assert "authorization" not in server.requests[0].headers
            # Another server on this machine may be a proxy to one that costs money.
            completion = await opened.complete("explain", question(), "just-a-server")
            assert completion.provider == "simulated"
        assert len(server.requests) == 1
        async with Gateway.open(settings(), config, {}) as opened:
            assert opened.live_calls_possible


async def test_a_real_provider_never_sees_a_fault() -> None:
    async with wire_server(ANSWER) as server, gateway(first=server.url) as opened:
        await read(opened, question(fault="reset"))
    assert "x-llm-fault" not in server.requests[0].headers


async def test_in_production_nobody_can_ask_for_a_fault() -> None:
    async with gateway(NOBODY, PRODUCTION | {"llm_simulate_in_production": True}) as opened:
        assert await read(opened, question(fault="server_error"))
    async with gateway(NOBODY) as opened:
        with pytest.raises(errors.UpstreamFailedError):
            await read(opened, question(fault="server_error"))


async def test_a_model_that_is_named_gets_no_other_in_its_place() -> None:
    async with gateway() as opened:
        assert who(opened.candidates("explain", "small")) == [("small", "second")]
        assert who(opened.candidates("explain", "trial")) == [("trial", "second")]
        assert opened.availability()["trial"] is True
        with pytest.raises(errors.UnknownModelError):
            opened.candidates("explain", "nothing")
    async with gateway(NOBODY) as opened:
        assert who(opened.candidates("explain", "small")) == [("small", "simulated")]


async def test_models_for_testing_do_not_exist_in_production() -> None:
    async with gateway(KEYS, PRODUCTION) as opened:
        with pytest.raises(errors.UnknownModelError):
            opened.candidates("explain", "trial")
        assert opened.availability()["trial"] is False


async def test_the_policy_holds_whoever_answers() -> None:
    """A client learns what a model refuses from its simulation, too."""
    for keys in (KEYS, NOBODY):
        async with gateway(keys) as opened:
            with pytest.raises(errors.ForbiddenParameterError) as raised:
                opened.candidates("explain", None, SamplingParams(reasoning_effort="low"))
            assert raised.value.parameter == "reasoning_effort"
            with pytest.raises(errors.ForbiddenParameterError, match="maximum of max_tokens for the model big is 100"):
                opened.candidates("explain", None, SamplingParams(max_tokens=101))


async def test_a_fallback_that_refuses_a_parameter_is_passed_over() -> None:
    async with gateway() as opened:
        assert who(opened.candidates("explain", None, SamplingParams(top_p=0.5))) == [("big", "first")]


async def test_a_task_without_models_is_simulated_under_that_name() -> None:
    async with gateway() as opened:
        assert who(opened.candidates("conversation")) == [("simulated", "simulated")]
    async with gateway(KEYS, PRODUCTION) as opened:
        with pytest.raises(errors.LLMNotConfiguredError):
            opened.candidates("conversation")
