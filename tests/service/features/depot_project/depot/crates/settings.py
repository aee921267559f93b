"""The settings of crates."""

from __future__ import annotations

from pydantic import Field

from inference_core.core.settings import Settings, SettingsError


class CratesSettings(Settings):
    """Two settings with the prefix of the feature."""

    crates_color: str = Field(default="red", description="Color of new crates.")
    crates_stack_every_s: float = Field(default=600.0, gt=0)


def check(settings: Settings) -> None:
    """Refuse a color."""
    if settings.of(CratesSettings).crates_color == "invisible":
        raise SettingsError("settings: CRATES_COLOR: nobody finds invisible crates")
