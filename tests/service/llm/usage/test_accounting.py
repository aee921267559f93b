"""Tokens and costs: exact, charged once, for streams and tasks, by user and for all users."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from uuid import UUID, uuid4

import pytest

from inference_core.core.db.base import utc_now
from inference_core.llm.accounting.ledger import Answered, record
from inference_core.llm.accounting.purge import purge
from inference_core.llm.accounting.repository import UsageRepository
from inference_core.llm.accounting.totals import Totals, cost_nano_usd
from inference_core.llm.accounting.usage_service import BadPeriodError, Period
from inference_core.llm.config.schema import Price
from inference_core.llm.conversations.records import ConversationRef
from inference_core.llm.conversations.repository import ConversationRepository
from inference_core.llm.models import Charge
from inference_core.llm.types import Usage
from tests.support.accounts import Api
from tests.support.llm import parse_events
from tests.support.servers.databases import on_every_database

pytestmark = pytest.mark.anyio

PRICE = Price(input_per_million_usd=0.25, output_per_million_usd=2.0)


def answered(user_id: UUID | None, **changes: object) -> Answered:
    given = Answered(
        charge_id=str(uuid4()),
        user_id=user_id,
        question="Why?",
        session=None,
        text="Because.",
        complete=True,
        model="paid",
        provider="somebody",
        simulated=False,
        usage=Usage(1000, 100),
        price=PRICE,
    )
    return replace(given, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("usage", "input_price", "output_price", "nano_usd"),
    [
        (Usage(1, 0), "0.15", "0", 150),
        (Usage(1_000_000, 1_000_000), "0.1", "0.2", 300_000_000),
        (Usage(3, 7), "0.075", "0.3", 225 + 2100),
        (Usage(1, 0), "0.0005", "0", 1),  # half a billionth, rounded up
        (Usage(1, 0), "0.0004", "0", 0),
    ],
)
def test_cost_is_exact_to_a_billionth(usage: Usage, input_price: str, output_price: str, nano_usd: int) -> None:
    assert cost_nano_usd(usage, Decimal(input_price), Decimal(output_price)) == nano_usd


def test_dollars_keep_every_digit() -> None:
    assert format(Totals(cost_nano_usd=1).cost_usd, "f") == "0.000000001"
    # More than a float can hold.
    assert Totals(cost_nano_usd=9_007_199_254_740_993).cost_usd == Decimal("9007199.254740993")


def test_totals_add_up() -> None:
    total = sum([Totals(1, 10, 5, 700), Totals(2, 20, 0, 1)], Totals())
    assert total == Totals(3, 30, 5, 701)
    assert total.total_tokens == 35


@on_every_database
async def test_answers_of_one_day_add_up_however_many_come_at_once(api: Api) -> None:
    user = await api.register()
    tokens = await api.login(user)
    charges = [answered(UUID(user.id)) for _ in range(12)]
    assert await asyncio.gather(*(record(api.state.database, [charge]) for charge in charges)) == [True] * 12
    # The same ones again are the same.
    assert await asyncio.gather(*(record(api.state.database, [charge]) for charge in charges)) == [False] * 12
    usage = (await api.get("/llm/usage", tokens)).json()
    (item,) = usage["items"]
    assert (item["model_name"], item["simulated"], item["requests"]) == ("paid", False, 12)
    assert (item["input_tokens"], item["output_tokens"], item["total_tokens"]) == (12_000, 1_200, 13_200)
    # 12 answers of 1000 x 0.25 + 100 x 2 dollars a million.
    assert item["cost_usd"] == "0.005400000"
    assert {name: usage["totals"][name] for name in usage["totals"]} == {name: item[name] for name in usage["totals"]}


@on_every_database
async def test_turns_of_one_answer_are_stored_once(api: Api) -> None:
    user = await api.register()
    session = ConversationRef(uuid4(), is_new=True)
    first = answered(UUID(user.id), session=session, keep_answer=True)
    assert await record(api.state.database, [first]) is True
    assert await record(api.state.database, [first]) is False
    more = [answered(UUID(user.id), session=ConversationRef(session.id, is_new=False)) for _ in range(6)]
    await asyncio.gather(*(record(api.state.database, [item]) for item in more))
    async with api.state.database.read() as reading:
        turns = await ConversationRepository(reading).turns(session.id, 0, 100)
        kept = await UsageRepository(reading).answer_of(first.charge_id)
    assert [turn.role for turn in turns] == ["user", "assistant"] * 7
    assert kept is not None
    assert kept[1] == "Because."


@pytest.mark.parametrize("estimated", [True, False])
@on_every_database
async def test_charge_says_whether_it_is_an_estimate(api: Api, estimated: bool) -> None:
    user = await api.register()
    charge = answered(UUID(user.id), usage=Usage(10, 5, estimated=estimated))
    await record(api.state.database, [charge])
    async with api.state.database.read() as session:
        stored = await session.get(Charge, charge.charge_id)
    assert stored is not None
    assert stored.estimated is estimated


@on_every_database
async def test_charge_that_was_noted_before_is_taken_back_once(api: Api) -> None:
    user = await api.register()
    tokens = await api.login(user)
    noted = answered(UUID(user.id), usage=Usage(700, 0, estimated=True), complete=False)
    await record(api.state.database, [noted])
    other = answered(UUID(user.id), model="other")
    for _ in range(2):  # the second time there is neither anything to take back nor to store
        await record(api.state.database, [other], in_place_of=noted)
    usage = (await api.get("/llm/usage", tokens)).json()
    (item,) = usage["items"]
    assert (item["model_name"], item["requests"], item["input_tokens"]) == ("other", 1, 1000)
    assert usage["totals"]["cost_usd"] == item["cost_usd"]
    await record(api.state.database, [], in_place_of=other)
    assert (await api.get("/llm/usage", tokens)).json()["items"] == []


@on_every_database
async def test_answer_of_a_deleted_conversation_is_counted_and_not_kept(api: Api) -> None:
    user = await api.register()
    assert await record(api.state.database, [answered(UUID(user.id), session=ConversationRef(uuid4(), is_new=False))])
    usage = (await api.get("/llm/usage", await api.login(user))).json()
    assert usage["totals"]["requests"] == 1


@on_every_database
async def test_streams_are_counted_for_their_user_and_cost_nothing_when_simulated(api: Api) -> None:
    user = await api.register()
    tokens = await api.login(user)
    sums = {"input_tokens": 0, "output_tokens": 0}
    for path, body in (("explain", {"question": "Why?"}), ("conversation", {"user_input": "And?"})):
        events = parse_events((await api.post(f"/llm/{path}/stream", body, tokens)).text)
        for name in sums:
            sums[name] += events[-2]["usage"][name]
    usage = (await api.get("/llm/usage", tokens)).json()
    (item,) = usage["items"]
    assert {name: item[name] for name in sums} == sums
    assert (item["requests"], item["simulated"], item["cost_usd"]) == (2, True, "0.000000000")
    stats = (await api.get("/llm/stats", tokens)).json()["stats"]
    assert (stats["requests_count"], stats["total_tokens"], stats["errors_count"]) == (2, item["total_tokens"], 0)
    assert stats["last_request"]


@on_every_database
async def test_superusers_see_the_sum_of_all_and_who_spent_most(api: Api) -> None:
    small, large = await api.register(), await api.register()
    admin = await api.login(await api.register_superuser())
    before = (await api.get("/admin/llm/usage", admin)).json()["totals"]
    await record(api.state.database, [answered(UUID(small.id))])
    await record(api.state.database, [answered(UUID(large.id), usage=Usage(10**9, 10**9))])
    await record(api.state.database, [answered(None)])
    overview = (await api.get("/admin/llm/usage", admin)).json()
    assert overview["totals"]["requests"] == before["requests"] + 3
    assert overview["users"][0]["user_id"] == large.id
    assert Decimal(overview["users"][0]["cost_usd"]) == Decimal(2250)
    assert {None, small.id} <= {user["user_id"] for user in overview["users"]}
    for caller, status in ((None, 401), (await api.login(small), 403)):
        assert (await api.get("/admin/llm/usage", caller)).status_code == status


async def test_periods_are_bounded(api: Api) -> None:
    tokens = await api.login(await api.register())
    today = utc_now().date()
    assert (await api.get(f"/llm/usage?first_day={today}&last_day={today}", tokens)).status_code == 200
    for query in (f"first_day={today}&last_day={today - timedelta(1)}", "first_day=1900-01-01"):
        assert (await api.get(f"/llm/usage?{query}", tokens)).status_code == 400
    assert (await api.get("/llm/usage?first_day=x", tokens)).status_code == 422
    with pytest.raises(BadPeriodError):
        Period.of(today, today - timedelta(days=1))


@on_every_database
async def test_old_charges_are_purged_and_their_sums_stay(api: Api) -> None:
    user = await api.register()
    old = answered(UUID(user.id))
    await record(api.state.database, [old])
    long_ago = utc_now() - timedelta(days=api.settings.llm_charge_keep_days + 1)
    async with api.state.database.write() as session:
        charge = await session.get(Charge, old.charge_id)
        assert charge is not None
        charge.created_at = long_ago
    await purge(api.settings)
    async with api.state.database.read() as session:
        assert await session.get(Charge, old.charge_id) is None
    assert (await api.get("/llm/usage", await api.login(user))).json()["totals"]["requests"] == 1
