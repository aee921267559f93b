"""What workers, the purge and `inference-core up` call."""

from __future__ import annotations

import sys

from inference_core.core.queue.app import ServiceCelery
from inference_core.core.settings import Settings


def install(app: ServiceCelery) -> None:
    """Tell that a worker of this service starts."""
    print(f"crates: a worker of {app.service.name}", file=sys.stderr, flush=True)


async def purge(settings: Settings) -> int:
    """Delete nothing."""
    return 0


def announce(settings: Settings, url: str) -> dict[str, object]:
    """Return the address of the crates."""
    return {"crates": f"{url}/api/v1/crates"}
