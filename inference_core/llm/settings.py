"""The settings of the LLM endpoints."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from inference_core.core.settings import Access, Settings
from inference_core.llm.simulator.faults import parse_rates


class LLMSettings(Settings):
    """The providers, the simulator, the streams and the stored conversations."""

    llm_config_file: Path = Path("llm_config.yaml")
    llm_provider_mode: Literal["auto", "live", "simulated"] = "auto"
    allow_live_llm: bool | None = None
    llm_simulate_in_production: bool = False
    llm_simulator_speed: Literal["instant", "fast", "8b-h100", "70b-h100", "slow-reasoning"] = "fast"
    llm_simulator_seed: int = Field(default=0, ge=-(2**63), lt=2**63)
    llm_simulator_max_num_seqs: int = Field(default=256, ge=1, le=100_000)
    llm_simulator_max_queued: int = Field(default=1024, ge=0, le=1_000_000)
    llm_simulator_fault_rates: str = ""
    llm_api_access_mode: Access | None = None
    llm_ping_s: float = Field(default=15.0, ge=0.1, le=600)
    llm_slow_reader_s: float = Field(default=30.0, ge=0.1, le=3600)
    llm_history_turns: int = Field(default=20, ge=0, le=1000)
    llm_history_characters: int = Field(default=24_000, ge=0, le=10_000_000)
    llm_charge_keep_days: int = Field(default=7, ge=2, le=3650)

    @field_validator("llm_simulator_fault_rates")
    @classmethod
    def _readable_rates(cls, value: str) -> str:
        parse_rates(value)
        return value

    @model_validator(mode="after")
    def _streams_end_by_their_own_rule(self) -> Self:
        if self.llm_slow_reader_s >= self.unread_response_s:
            raise ValueError(
                "LLM_SLOW_READER_S must be less than UNREAD_RESPONSE_S, "
                "or the connection of a slow reader is closed before its stream can end"
            )
        return self

    @property
    def live_llm_allowed(self) -> bool:
        """Return whether providers that can cost money may be called: as set, else always except in testing."""
        return self.environment != "testing" if self.allow_live_llm is None else self.allow_live_llm

    @property
    def llm_may_simulate(self) -> bool:
        """Return whether the simulator replaces models that cannot be called. In production, only if set."""
        if self.llm_provider_mode == "auto":
            return self.llm_simulate_in_production or not self.is_production
        return self.llm_provider_mode == "simulated"

    @property
    def effective_llm_access(self) -> Access:
        """Return who can call the LLM routes: as set, else users in production and everybody otherwise."""
        return self.llm_api_access_mode or ("user" if self.is_production else "public")
