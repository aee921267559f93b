"""The probe asks once for every caller, also where many ask in the same moment, and a failure reaches each of them."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from inference_core.health import database_probe
from inference_core.health.database_probe import DatabaseDownError, DatabaseProbe
from inference_core.health.drivers import SqliteLine

pytestmark = pytest.mark.anyio


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    sqlite3.connect(tmp_path / "probe.db").close()
    return f"sqlite+aiosqlite:///{tmp_path / 'probe.db'}"


class ScriptedLine:
    """Answers as often as `answers` says, then fails, or says nothing more where `hangs`."""

    server_version = "1"

    def __init__(self, answers: int, *, hangs: bool = False) -> None:
        self.answers = answers
        self.hangs = hangs
        self.was_cut = False

    async def ask(self, times: int) -> AsyncGenerator[float]:
        for _ in range(times):
            await asyncio.sleep(0)
            if not self.answers:
                if self.hangs:
                    await asyncio.Event().wait()
                raise OSError("the line is dead")
            self.answers -= 1
            yield 0.001

    def cut(self) -> None:
        self.was_cut = True


def connecting_to(monkeypatch: pytest.MonkeyPatch, *lines: ScriptedLine) -> None:
    left = list(lines)

    async def connect(_: str) -> ScriptedLine:
        return left.pop(0)

    monkeypatch.setattr(database_probe, "connect", connect)


async def test_each_of_many_callers_has_a_round_trip_of_its_own(database_url: str) -> None:
    statements: list[str] = []
    async with DatabaseProbe.open(database_url) as probe:
        await probe.ask()
        assert isinstance(probe.line, SqliteLine)
        await probe.line.driver.set_trace_callback(statements.append)
        answers = await asyncio.gather(*(probe.ask() for _ in range(50)))
    assert statements == ["PRAGMA schema_version"] * 50
    assert all(answer.dialect == "sqlite" and answer.round_trip_ms >= 0 for answer in answers)


async def test_a_failure_reaches_whoever_was_not_answered_yet_and_the_next_question_connects_anew(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    dying, sound = ScriptedLine(answers=2), ScriptedLine(answers=1)
    connecting_to(monkeypatch, dying, sound)
    async with DatabaseProbe.open(database_url) as probe:
        outcomes = await asyncio.gather(*(probe.ask() for _ in range(5)), return_exceptions=True)
        assert [isinstance(outcome, DatabaseDownError) for outcome in outcomes] == [False, False, True, True, True]
        assert dying.was_cut
        assert (await probe.ask()).round_trip_ms == 1.0


async def test_silence_is_bounded_for_everybody(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    silent, sound = ScriptedLine(answers=0, hangs=True), ScriptedLine(answers=1)
    connecting_to(monkeypatch, silent, sound)
    async with DatabaseProbe.open(database_url) as probe:
        probe.timeout_s = 0.05
        outcomes = await asyncio.gather(*(probe.ask() for _ in range(3)), return_exceptions=True)
        assert all(isinstance(outcome, DatabaseDownError) for outcome in outcomes)
        probe.timeout_s = 10
        assert (await probe.ask()).round_trip_ms == 1.0
        assert silent.was_cut


async def test_a_caller_that_goes_away_takes_nobody_with_it(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    connecting_to(monkeypatch, ScriptedLine(answers=2))
    async with DatabaseProbe.open(database_url) as probe:
        impatient = asyncio.create_task(probe.ask())
        patient = asyncio.create_task(probe.ask())
        await asyncio.sleep(0)
        impatient.cancel()
        assert (await patient).round_trip_ms == 1.0
        assert impatient.cancelled()
