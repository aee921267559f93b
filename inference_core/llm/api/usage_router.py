"""`/api/v1/llm/usage` for users, `/api/v1/admin/llm/usage` for superusers: tokens and cost by day and model."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import BeforeValidator

from inference_core.auth.dependencies import CurrentUser, get_superuser
from inference_core.core.db.engine import DatabaseUnavailableError
from inference_core.core.exceptions import NotAuthenticatedError, NotPermittedError
from inference_core.core.paths import ADMIN_PREFIX, LLM_PREFIX
from inference_core.core.problems import responses_for
from inference_core.llm.accounting.totals import Totals
from inference_core.llm.accounting.usage_service import BadPeriodError, Period, UsageOfPeriod
from inference_core.llm.api.dependencies import UsageServiceDep, get_principal
from inference_core.llm.api.schemas import UsageItem, UsageOverview, UsageReport, UsageTotals, UserUsage
from inference_core.llm.models import NOBODY

ISO_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")

router = APIRouter(
    tags=["llm"],
    responses=responses_for(NotAuthenticatedError, NotPermittedError, DatabaseUnavailableError, BadPeriodError),
)


def _is_written_out(value: object) -> object:
    # Pydantic would read a number as seconds since 1970.
    if isinstance(value, str) and not ISO_DAY.fullmatch(value):
        raise ValueError("must be a date such as 2026-01-31")
    return value


Day = Annotated[date, BeforeValidator(_is_written_out)]
FirstDay = Annotated[Day | None, Query(description="UTC date; the default is 30 days before the last day.")]
LastDay = Annotated[Day | None, Query(description="UTC date; the default is today.")]


@router.get(f"{LLM_PREFIX}/usage", dependencies=[Depends(get_principal)])
async def own_usage(
    usage: UsageServiceDep, user: CurrentUser, first_day: FirstDay = None, last_day: LastDay = None
) -> UsageReport:
    """Return the usage of the caller."""
    return UsageReport(**_report(await usage.of_user(user.account.id, Period.of(first_day, last_day))))


@router.get(f"{ADMIN_PREFIX}/llm/usage", dependencies=[Depends(get_superuser)], tags=["administration"])
async def usage_of_all(usage: UsageServiceDep, first_day: FirstDay = None, last_day: LastDay = None) -> UsageOverview:
    """Return the usage of all users, and the users with the highest cost."""
    found = await usage.of_all(Period.of(first_day, last_day))
    users = [
        UserUsage(
            user_id=None if user.owner_id == NOBODY else user.owner_id,
            requests=user.totals.requests,
            total_tokens=user.totals.total_tokens,
            cost_usd=user.totals.cost_usd,
        )
        for user in found.users
    ]
    return UsageOverview(**_report(found), users=users)


def _report(usage: UsageOfPeriod) -> dict[str, Any]:
    items = [
        UsageItem(day=day.day, model_name=day.model, simulated=day.simulated, **_numbers(day.totals))
        for day in usage.days
    ]
    return {
        "first_day": usage.period.first,
        "last_day": usage.period.last,
        "items": items,
        "totals": UsageTotals(**_numbers(usage.totals)),
    }


def _numbers(totals: Totals) -> dict[str, Any]:
    return {name: getattr(totals, name) for name in UsageTotals.model_fields}
