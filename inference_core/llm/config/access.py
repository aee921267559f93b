"""The providers that may be called, by the settings, the configuration and the environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import SecretStr

from inference_core.llm.config.schema import LLMConfig, ProviderConfig
from inference_core.llm.settings import LLMSettings
from inference_core.llm.types import SIMULATED


@dataclass(frozen=True, slots=True)
class Access:
    """The providers that may be called.

    Attributes:
        live_allowed: False forbids every provider that could cost money.
        may_simulate: Whether the simulator replaces a model whose provider cannot be called.
        keys: The available keys by provider.
    """

    mode: Literal["auto", "live", "simulated"]
    live_allowed: bool
    may_simulate: bool
    production: bool
    keys: Mapping[str, SecretStr]

    @classmethod
    def of(cls, settings: LLMSettings, config: LLMConfig, environ: Mapping[str, str]) -> Access:
        """Return the access of the settings and the environment."""
        wanted = {name: provider.api_key_env for name, provider in config.providers.items() if provider.api_key_env}
        keys = {name: SecretStr(key) for name, variable in wanted.items() if (key := key_in(environ, variable))}
        return cls(
            mode=settings.llm_provider_mode,
            live_allowed=settings.live_llm_allowed,
            may_simulate=settings.llm_may_simulate,
            production=settings.is_production,
            keys=keys,
        )

    def may_cost_money(self, name: str, provider: ProviderConfig) -> bool:
        """Return whether calls can reach a provider that is not a declared simulator, including one on this machine."""
        return not provider.simulator and provider.kind_for(name) != SIMULATED and self.may_call(name, provider)

    def may_call(self, name: str, provider: ProviderConfig) -> bool:
        """Return whether the provider may be called, by its mode, the permission for live calls and its key."""
        if provider.simulator or provider.kind_for(name) == SIMULATED:
            return self.mode == "auto"
        has_key = provider.api_key_env is None or name in self.keys
        return self.mode != "simulated" and self.live_allowed and has_key


def key_in(environ: Mapping[str, str], variable: str) -> str:
    """Return the key in a variable, without surrounding blanks and line ends. Empty if there is none."""
    return environ.get(variable, "").strip()


def is_usable(key: str) -> bool:
    """Return whether a key is valid in an HTTP header and has no quotes."""
    return key.isascii() and (key.isprintable() and not set(key) & set(" \"'"))
