"""Reports of usage, for a user and for superusers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from inference_core.core.db.base import utc_now
from inference_core.core.exceptions import InvalidInputError
from inference_core.llm.accounting.repository import DayUsage, OwnerUsage, UsageRepository
from inference_core.llm.accounting.totals import Totals

MAX_DAYS = 366
DEFAULT_DAYS = 30
TOP_USERS = 50


class BadPeriodError(InvalidInputError):
    """Raised if the last day is before the first one, or the range is too long."""

    code = "bad_period"
    detail = f"The last day must not be before the first. The range has at most {MAX_DAYS} days."


@dataclass(frozen=True, slots=True)
class Period:
    """A range of days in UTC, both included."""

    first: date
    last: date

    @classmethod
    def of(cls, first: date | None, last: date | None) -> Period:
        """Return the requested range. By default it ends today and begins 30 days earlier.

        Raises:
            BadPeriodError: The range is empty or too long.
        """
        last = last or utc_now().date()
        if first is None:
            first = max(date.min + timedelta(days=DEFAULT_DAYS), last) - timedelta(days=DEFAULT_DAYS)
        if not timedelta(0) <= last - first <= timedelta(days=MAX_DAYS):
            raise BadPeriodError
        return cls(first, last)


@dataclass(frozen=True, slots=True)
class UsageOfPeriod:
    """The usage of a range of days. `users` is empty for the report of one user."""

    period: Period
    days: list[DayUsage]
    users: list[OwnerUsage]

    @property
    def totals(self) -> Totals:
        """Return the totals of all days and models."""
        return sum((day.totals for day in self.days), Totals())


@dataclass(frozen=True, slots=True)
class UsageService:
    """The reports, read with the session of the request."""

    session: AsyncSession

    async def of_user(self, user_id: UUID, period: Period) -> UsageOfPeriod:
        """Return the usage of one user."""
        days = await UsageRepository(self.session).by_day(period.first, period.last, user_id)
        return UsageOfPeriod(period, days, [])

    async def of_all(self, period: Period) -> UsageOfPeriod:
        """Return the usage of all users, and the users with the highest cost."""
        repository = UsageRepository(self.session)
        days = await repository.by_day(period.first, period.last)
        return UsageOfPeriod(period, days, await repository.top_owners(period.first, period.last, TOP_USERS))
