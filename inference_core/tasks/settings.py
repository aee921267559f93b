"""The settings of the task routes."""

from __future__ import annotations

from inference_core.core.settings import Access, Settings


class TasksSettings(Settings):
    """Who can call the monitoring routes."""

    monitoring_access: Access | None = None

    @property
    def effective_monitoring_access(self) -> Access:
        """Return who can call the monitoring routes: as set, else superusers in production and everybody otherwise."""
        return self.monitoring_access or ("superuser" if self.is_production else "public")
