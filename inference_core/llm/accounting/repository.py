"""The queries on charges and daily totals. Callers control the transactions."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import ColumnElement, Table, bindparam, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from inference_core.core.db.rows import changed_rows
from inference_core.llm.accounting.totals import Totals
from inference_core.llm.models import Charge, DailyUsage

# The statements of every answer are created once. They use the tables, because rows need no objects here.
CHARGES, USAGE = cast("Table", Charge.__table__), cast("Table", DailyUsage.__table__)
KEYS = ("owner_id", "model", "simulated")
SUMMED = ("input_tokens", "output_tokens", "cost_nano_usd")
INSERT_CHARGE = insert(CHARGES)
INSERT_USAGE = insert(USAGE)
ADD_USAGE = (
    update(USAGE)
    .where(USAGE.c.owner_id == bindparam("at_owner"), USAGE.c.day == bindparam("at_day"))
    .where(USAGE.c.model == bindparam("at_model"), USAGE.c.simulated == bindparam("at_simulated"))
    .values({name: USAGE.c[name] + bindparam(f"more_{name}") for name in ("requests", *SUMMED)})
)
# In the order of the fields of `Totals`.
SUMS = tuple(func.sum(USAGE.c[field.name]) for field in fields(Totals))


@dataclass(frozen=True, slots=True)
class DayUsage:
    """The totals of one day and model."""

    day: date
    model: str
    simulated: bool
    totals: Totals


@dataclass(frozen=True, slots=True)
class OwnerUsage:
    """The totals of one user. `owner_id` is `NOBODY` for all callers without an account."""

    owner_id: UUID
    totals: Totals


class UsageRepository:
    """The charges of answers, in one database session."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def answer_of(self, charge_id: str) -> tuple[Charge, str] | None:
        """Return the charge with this id and its stored answer, if any."""
        charge = await self._session.get(Charge, charge_id)
        return (charge, charge.answer) if charge is not None and charge.answer is not None else None

    async def charge(self, charge: dict[str, Any], day: date) -> None:
        """Store a charge and add it to its day.

        Raises:
            sqlalchemy.exc.IntegrityError: A charge with this id exists. The transaction cannot continue.
        """
        await self._session.execute(INSERT_CHARGE, charge)
        added = {"at_day": day, "at_owner": charge["owner_id"], "at_model": charge["model"]}
        added |= {"at_simulated": charge["simulated"], **{f"more_{name}": charge[name] for name in SUMMED}}
        added["more_requests"] = 1
        if await changed_rows(self._session, ADD_USAGE, added):
            return
        first = {"day": day, "requests": 1, **{name: charge[name] for name in (*KEYS, *SUMMED)}}
        try:
            async with self._session.begin_nested():
                await self._session.execute(INSERT_USAGE, first)
        except IntegrityError:
            await self._session.execute(ADD_USAGE, added)  # another request created the first row of the day

    async def take_back(self, charge: dict[str, Any], day: date) -> None:
        """Undo `charge` for the same values, if it was made."""
        if not await changed_rows(self._session, delete(CHARGES).where(CHARGES.c.id == charge["id"])):
            return
        less = {"at_day": day, "at_owner": charge["owner_id"], "at_model": charge["model"]}
        less |= {"at_simulated": charge["simulated"], **{f"more_{name}": -charge[name] for name in SUMMED}}
        await self._session.execute(ADD_USAGE, {**less, "more_requests": -1})

    async def has_charge(self, charge_id: str) -> bool:
        """Return whether a charge with this id exists."""
        return (await self._session.execute(select(Charge.id).where(Charge.id == charge_id))).one_or_none() is not None

    async def by_day(self, first: date, last: date, owner_id: UUID | None = None) -> list[DayUsage]:
        """Return the totals by day and model from `first` to `last`, both included, of one user or of all."""
        keys = (DailyUsage.day, DailyUsage.model, DailyUsage.simulated)
        conditions: list[ColumnElement[bool]] = [DailyUsage.day.between(first, last), DailyUsage.requests > 0]
        if owner_id is not None:
            conditions.append(DailyUsage.owner_id == owner_id)
        statement = select(*keys, *SUMS).where(*conditions).group_by(*keys).order_by(*keys)
        return [
            DayUsage(day, model, simulated, Totals(*map(int, sums)))
            for day, model, simulated, *sums in await self._session.execute(statement)
        ]

    async def top_owners(self, first: date, last: date, limit: int) -> list[OwnerUsage]:
        """Return the users with the highest cost, and among them those with the most tokens first."""
        _, input_tokens, output_tokens, cost = SUMS
        statement = (
            select(DailyUsage.owner_id, *SUMS)
            .where(DailyUsage.day.between(first, last), DailyUsage.requests > 0)
            .group_by(DailyUsage.owner_id)
            .order_by(cost.desc(), (input_tokens + output_tokens).desc(), DailyUsage.owner_id)
            .limit(limit)
        )
        return [
            OwnerUsage(owner_id, Totals(*map(int, sums))) for owner_id, *sums in await self._session.execute(statement)
        ]

    async def purge(self, before: datetime) -> int:
        """Delete older charges and return their number. The totals remain."""
        return await changed_rows(self._session, delete(Charge).where(Charge.created_at < before))
