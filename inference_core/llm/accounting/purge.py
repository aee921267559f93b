"""Delete old charges."""

from __future__ import annotations

from datetime import timedelta

from inference_core.core.db.base import utc_now
from inference_core.core.db.engine import Database
from inference_core.core.settings import Settings
from inference_core.llm.accounting.repository import UsageRepository
from inference_core.llm.settings import LLMSettings


async def purge(settings: Settings) -> int:
    """Delete charges after `LLM_CHARGE_KEEP_DAYS`. Return their number. The daily totals remain."""
    before = utc_now() - timedelta(days=settings.of(LLMSettings).llm_charge_keep_days)
    async with Database.open(settings) as database, database.write() as session:
        return await UsageRepository(session).purge(before)
