"""The validation of sampling parameters, for request bodies, the configuration and the simulated API."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field

from inference_core.core.numbers import JSON_NUMBER
from inference_core.llm.types import PARAMETER_NAMES, ReasoningEffort, SamplingParams, Verbosity

Penalty = Annotated[float, Field(ge=-2, le=2, allow_inf_nan=False), JSON_NUMBER]


class SamplingFields(BaseModel):
    """The fields of `SamplingParams` with their ranges. Models that contain these parameters inherit them."""

    temperature: Annotated[float, Field(ge=0, le=2, allow_inf_nan=False), JSON_NUMBER] | None = Field(
        default=None, description="The randomness; 0 is the most predictable."
    )
    max_tokens: Annotated[int, Field(ge=1, le=10_000_000), JSON_NUMBER] | None = Field(
        default=None, description="Maximum number of tokens of the answer."
    )
    top_p: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False), JSON_NUMBER] | None = Field(
        default=None, description="The share of the probability from which tokens are chosen."
    )
    frequency_penalty: Penalty | None = Field(default=None, description="Positive values avoid repetitions.")
    presence_penalty: Penalty | None = Field(default=None, description="Positive values favour new topics.")
    reasoning_effort: ReasoningEffort | None = Field(default=None, description="How long a reasoning model thinks.")
    verbosity: Verbosity | None = Field(default=None, description="How long the answer should be.")

    def params(self) -> SamplingParams:
        """Return the parameters."""
        return SamplingParams(**{name: getattr(self, name) for name in PARAMETER_NAMES})


def _known(name: str) -> str:
    if name not in PARAMETER_NAMES:
        raise ValueError(f"must be one of {', '.join(PARAMETER_NAMES)}")
    return name


ParameterName = Annotated[str, AfterValidator(_known)]
