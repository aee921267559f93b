"""Create only the providers that may be called, so that forbidden ones have no client that could connect."""

from __future__ import annotations

from pydantic import SecretStr

from inference_core.llm.config.access import Access
from inference_core.llm.config.schema import LLMConfig, ProviderConfig
from inference_core.llm.providers.openai_compatible import OpenAICompatibleProvider
from inference_core.llm.providers.simulated import SimulatedProvider
from inference_core.llm.settings import LLMSettings
from inference_core.llm.simulator.engine import Engine, SimulatorOptions
from inference_core.llm.simulator.faults import parse_rates
from inference_core.llm.types import SIMULATED, Provider


def simulator_options(settings: LLMSettings) -> SimulatorOptions:
    """Return the simulator of the process, as set. In production, no request can cause a fault."""
    return SimulatorOptions(
        speed=settings.llm_simulator_speed,
        seed=settings.llm_simulator_seed,
        max_num_seqs=settings.llm_simulator_max_num_seqs,
        max_queued=settings.llm_simulator_max_queued,
        fault_rates=parse_rates(settings.llm_simulator_fault_rates),
        honour_faults=not settings.is_production,
    )


def open_providers(settings: LLMSettings, config: LLMConfig, access: Access) -> dict[str, Provider]:
    """Return the providers that `access` permits, by name. `simulated` is always included."""
    simulated = SimulatedProvider(Engine(simulator_options(settings)), lambda: list(config.models))
    providers: dict[str, Provider] = {SIMULATED: simulated}
    for name, provider in config.providers.items():
        if access.may_call(name, provider):
            is_simulated = provider.kind_for(name) == SIMULATED
            key, connect_s = access.keys.get(name), config.settings.timeouts.connect_s
            providers[name] = simulated if is_simulated else _open(name, provider, key, connect_s)
    return providers


def _open(name: str, provider: ProviderConfig, key: SecretStr | None, connect_s: float) -> Provider:
    if provider.kind_for(name) == "openai_compatible":
        assert provider.base_url is not None  # noqa: S101  # checked when the configuration was read
        return OpenAICompatibleProvider(name, provider.base_url, key, connect_s=connect_s, simulator=provider.simulator)
    assert key is not None  # noqa: S101  # without one it may not be called
    # The client of a vendor is large and optional. The loader of the configuration has checked that it is installed.
    if provider.kind_for(name) == "anthropic":
        from inference_core.llm.providers.anthropic import AnthropicProvider  # noqa: PLC0415

        return AnthropicProvider(name, key, base_url=provider.base_url, connect_s=connect_s)
    from inference_core.llm.providers.gemini import GeminiProvider  # noqa: PLC0415

    return GeminiProvider(name, key, base_url=provider.base_url, connect_s=connect_s)
