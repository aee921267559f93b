"""`/api/v1/llm/usage` for users, `/api/v1/admin/llm/usage` for superusers: tokens and cost by day and model."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import BeforeValidator

from inference_core.auth.dependencies import CurrentUser, get_superuser
from inference_core.core.db.base import utc_now
from inference_core.core.db.engine import DatabaseUnavailableError
from inference_core.core.db.session import ReadSessionDep
from inference_core.core.exceptions import InvalidInputError, NotAuthenticatedError, NotPermittedError
from inference_core.core.paths import ADMIN_PREFIX, LLM_PREFIX
from inference_core.core.problems import responses_for
from inference_core.llm.accounting.cost import in_usd
from inference_core.llm.accounting.repository import UsageRepository, UsageSum
from inference_core.llm.api.dependencies import get_principal
from inference_core.llm.api.schemas import UsageItem, UsageOverview, UsageReport, UsageTotals, UserUsage
from inference_core.llm.models import NOBODY

ISO_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
LONGEST_DAYS = 366
DEFAULT_DAYS = 30
TOP_USERS = 50


class BadPeriodError(InvalidInputError):
    """Raised if the last day is before the first one, or the range is too long."""

    code = "bad_period"
    detail = f"The last day must not be before the first. The range has at most {LONGEST_DAYS} days."


usage = APIRouter(
    tags=["llm"],
    responses=responses_for(NotAuthenticatedError, NotPermittedError, DatabaseUnavailableError, BadPeriodError),
)


def _written_out(value: object) -> object:
    # Pydantic would read a number as seconds since 1970.
    if isinstance(value, str) and not ISO_DAY.fullmatch(value):
        raise ValueError("must be a date such as 2026-01-31")
    return value


Day = Annotated[date, BeforeValidator(_written_out)]
FirstDay = Annotated[Day | None, Query(description="UTC date; the default is 30 days before the last day.")]
LastDay = Annotated[Day | None, Query(description="UTC date; the default is today.")]


@usage.get(f"{LLM_PREFIX}/usage", dependencies=[Depends(get_principal)])
async def own_usage(
    session: ReadSessionDep, user: CurrentUser, first_day: FirstDay = None, last_day: LastDay = None
) -> UsageReport:
    """Return the usage of the caller."""
    first, last = period(first_day, last_day)
    sums = await UsageRepository(session).sums(first, last, user.account.id)
    return UsageReport(first_day=first, last_day=last, items=_items(sums), totals=_totals(sums))


@usage.get(f"{ADMIN_PREFIX}/llm/usage", dependencies=[Depends(get_superuser)], tags=["administration"])
async def usage_of_all(session: ReadSessionDep, first_day: FirstDay = None, last_day: LastDay = None) -> UsageOverview:
    """Return the usage of all users, and the users with the highest cost."""
    first, last = period(first_day, last_day)
    repository = UsageRepository(session)
    sums = await repository.sums(first, last)
    users = [
        UserUsage(
            user_id=None if owner == NOBODY else owner, requests=requests, total_tokens=tokens, cost_usd=in_usd(cost)
        )
        for owner, requests, tokens, cost in await repository.top_owners(first, last, TOP_USERS)
    ]
    return UsageOverview(first_day=first, last_day=last, items=_items(sums), totals=_totals(sums), users=users)


def period(first: date | None, last: date | None) -> tuple[date, date]:
    """The days asked for.

    Raises:
        BadPeriodError: if there are none, or too many.
    """
    last = last or utc_now().date()
    if first is None:
        first = max(date.min + timedelta(days=DEFAULT_DAYS), last) - timedelta(days=DEFAULT_DAYS)
    if not timedelta(0) <= last - first <= timedelta(days=LONGEST_DAYS):
        raise BadPeriodError
    return first, last


def _items(sums: Iterable[UsageSum]) -> list[UsageItem]:
    return [
        UsageItem(day=item.day, model_name=item.model, simulated=item.simulated, **_numbers([item])) for item in sums
    ]


def _totals(sums: list[UsageSum]) -> UsageTotals:
    return UsageTotals(**_numbers(sums))


def _numbers(sums: list[UsageSum]) -> dict[str, Any]:
    input_tokens = sum(item.input_tokens for item in sums)
    output_tokens = sum(item.output_tokens for item in sums)
    return {
        "requests": sum(item.requests for item in sums),
        "input_tokens": input_tokens,
        "output_tokens": output_tokens,
        "total_tokens": input_tokens + output_tokens,
        "cost_usd": in_usd(sum(item.cost_nano_usd for item in sums)),
    }
