"""The settings of maintenance."""

from __future__ import annotations

from pydantic import Field

from inference_core.core.settings import Settings


class MaintenanceSettings(Settings):
    """How often expired data is deleted."""

    purge_interval_s: float = Field(default=600.0, ge=1, le=7 * 24 * 3600)
