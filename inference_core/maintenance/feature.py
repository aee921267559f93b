"""The maintenance feature."""

from inference_core.core.feature import Feature, Periodic

PURGE_EXPIRED = "maintenance.purge_expired"

feature = Feature(
    name="maintenance",
    settings="inference_core.maintenance.settings:MaintenanceSettings",
    tasks=("inference_core.maintenance.tasks",),
    schedule=(Periodic("purge-expired", task=PURGE_EXPIRED, every_s="purge_interval_s"),),
)
