"""Migrations: both ways, in agreement with the models, and safe when several processes start at once."""

from __future__ import annotations

import asyncio
import re
import secrets
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from pydantic import SecretStr
from sqlalchemy import inspect, text
from sqlalchemy.engine import Connection, make_url

from inference_core.core.db.base import Base
from inference_core.core.db.engine import Database
from inference_core.core.db.migrations import at_start
from inference_core.core.db.migrations.at_start import ensure_schema
from inference_core.core.db.migrations.errors import MigrationError
from inference_core.core.db.migrations.revisions import histories, revisions_of
from inference_core.core.db.migrations.run import TOOLING, current, downgrade, on_migration_connection, upgrade
from inference_core.core.db.migrations.write import write_revisions
from inference_core.core.feature import Feature, Service, folder_of
from tests.service.conftest import AppFactory
from tests.support.logs import log_lines_of
from tests.support.migrations import Written, new_package, replace_features, with_first_revisions, written_service
from tests.support.servers.databases import create_database, on_every_database
from tests.support.settings import Settings, application, service

pytestmark = pytest.mark.anyio
NEWEST = tuple(sorted(history.head or "" for history in histories(service)))
ACCOUNTS, LLM = NEWEST


@pytest.fixture
def settings(empty_database: str) -> Settings:
    return Settings(_env_file=None, database_url=empty_database)


def tables(connection: Connection) -> set[str]:
    return set(inspect(connection).get_table_names()) - {"alembic_version"}


def differences(connection: Connection) -> list[object]:
    return list(compare_metadata(MigrationContext.configure(connection, {"compare_type": True}), Base.metadata))


async def ask(settings: Settings, question: Callable[[Connection], object]) -> object:
    async with Database.open(settings) as database, database.write_engine.connect() as connection:
        return await connection.run_sync(question)


@on_every_database
async def test_migrations_go_up_and_down_and_make_what_the_models_say(settings: Settings) -> None:
    await asyncio.to_thread(upgrade, service, settings)
    assert await ask(settings, tables) == set(Base.metadata.tables)
    assert await ask(settings, differences) == []
    await asyncio.to_thread(downgrade, service, settings)
    assert await ask(settings, tables) == set()
    await asyncio.to_thread(upgrade, service, settings)
    await asyncio.to_thread(upgrade, service, settings)
    assert await ask(settings, tables) == set(Base.metadata.tables)


def test_the_newest_revisions_are_those_that_alembic_finds() -> None:
    folders = [history.folder for history in histories(service)]
    found = ScriptDirectory(str(TOOLING), version_locations=folders)
    assert {history.head for history in histories(service)} == set(found.get_heads())
    assert [history.feature.name for history in histories(service)] == ["accounts", "llm"]


@pytest.mark.parametrize(
    ("third", "newest"),
    [
        ("revision: str = 'notes_0003'\ndown_revision: str | None = 'notes_0002'\n", "notes_0003"),
        ("revision = 'notes_0003'\ndown_revision = ('notes_0002', 'notes_0001')\n", "notes_0003"),
        ("revision = (\n    'notes_0003'\n)\ndown_revision = \\\n    'notes_0002'\n", "notes_0003"),
        ("# down_revision = 'notes_0002' until this one is done\n", "notes_0002"),
    ],
)
def test_the_newest_revision_is_found_however_a_script_writes_it(third: str, newest: str, packages: Path) -> None:
    (history,) = histories(service_with(packages, third))
    assert history.head == newest


WRONG_SCRIPTS = {
    "two newest": (
        'revision = "notes_0003"\ndown_revision = "notes_0001"\n',
        "r1.py and r2.py both follow notes_0001; set down_revision in one of them",
    ),
    "two first": (
        'revision = "notes_0003"\ndown_revision = None\n',
        "r0.py and r2.py both follow None; set down_revision",
    ),
    "the same name": (
        'revision = "notes_0002"\ndown_revision = "notes_0001"\n',
        "r1.py and r2.py are both notes_0002; rename one",
    ),
    "a missing one": (
        'revision = "notes_0004"\ndown_revision = "notes_0003"\n',
        "r2.py: notes_0003 is missing; set down_revision",
    ),
    "itself": ('revision = "notes_0003"\ndown_revision = "notes_0003"\n', "r2.py: they follow each other"),
    "another feature's name": (
        'revision = "notes_extra_0003"\ndown_revision = "notes_0002"\n',
        'r2.py: revision must be of the form "notes_0001"',
    ),
    "no Python": ('revision = "notes_0003"\ndown_revision = = 1\n', "r2.py, line 2: invalid syntax"),
    "no text": ("revision = 3\n", 'r2.py: revision must be of the form "notes_0001"'),
    "no constant": ('revision = "notes_0003"\ndown_revision = previous()\n', "r2.py: down_revision must be a constant"),
    "a dependency": (
        'revision = "notes_0003"\ndown_revision = "notes_0002"\ndepends_on = "accounts_0001"\n',
        "r2.py: depends_on is not supported",
    ),
}


@pytest.mark.parametrize(("third", "message"), WRONG_SCRIPTS.values(), ids=WRONG_SCRIPTS)
def test_scripts_that_do_not_follow_each_other_are_one_line_that_names_them(
    third: str, message: str, packages: Path
) -> None:
    with pytest.raises(MigrationError, match=re.escape(message)) as raised:
        histories(service_with(packages, third))
    assert str(packages) in str(raised.value)
    assert "\n" not in str(raised.value)


def service_with(folder: Path, third: str) -> Service:
    """A service with one feature whose migrations are two scripts and `third`."""
    package = new_package(folder, "notes")
    first = "revision = 'notes_0001'\ndown_revision = None\n"
    second = "revision = 'notes_0002'\ndown_revision = 'notes_0001'\n"
    for number, script in enumerate([first, second, third]):
        (package / f"r{number}.py").write_text(script)
    return Service(name="shop", features=(Feature(name="notes", migrations=package.name),))


@on_every_database
async def test_several_processes_may_migrate_at_once(settings: Settings) -> None:
    await asyncio.gather(*(asyncio.to_thread(upgrade, service, settings) for _ in range(4)))
    assert await ask(settings, tables) == set(Base.metadata.tables)


@on_every_database
async def test_development_migrates_by_itself_and_production_says_what_to_run(settings: Settings) -> None:
    production = settings.model_copy(update={"environment": "production"})
    async with Database.open(settings) as database:
        with pytest.raises(MigrationError, match="inference-core migrate") as raised:
            await ensure_schema(service, production, database)
        assert "\n" not in str(raised.value)
        assert await revisions_of(service, database) == ()
        await ensure_schema(service, settings, database)
        assert await revisions_of(service, database) == NEWEST
        await ensure_schema(service, production, database)


@pytest.mark.parametrize(
    "url", ["postgresql://somebody:topsecret@127.0.0.1:1/x", "mysql://somebody:topsecret@127.0.0.1:1/x"]
)
async def test_an_unreachable_database_is_one_line_without_its_password(url: str) -> None:
    settings = Settings(_env_file=None, database_url=url)
    with pytest.raises(MigrationError, match=r"127\.0\.0\.1:1") as raised:
        await asyncio.to_thread(upgrade, service, settings)
    assert "topsecret" not in str(raised.value)
    assert "\n" not in str(raised.value)
    production = settings.model_copy(update={"environment": "production"})
    async with Database.open(settings) as database:
        await ensure_schema(service, production, database)  # starts anyway: health says that the database is down
        with pytest.raises(MigrationError):
            await ensure_schema(service, settings, database)


async def test_a_server_that_may_not_start_says_why_in_one_line(settings: Settings, redis_url: str) -> None:
    own = {"environment": "production", "secret_key": SecretStr("s" * 32), "redis_url": redis_url}
    app, sent = application(settings.model_copy(update=own)), list[dict[str, Any]]()

    async def receive() -> dict[str, Any]:
        return {"type": "lifespan.startup"}

    async def send(message: Any) -> None:
        sent.append(message)

    with pytest.raises(MigrationError):
        await app({"type": "lifespan", "state": {}}, receive, send)
    (message,) = sent
    assert message["message"].startswith("database: the schema of ")
    assert message["message"].endswith("run: inference-core migrate")


LEGACY = {
    "0001": ("accounts_0001", None),
    "0002": ("accounts_0001", "llm_0001"),
    "0003": ("accounts_0002", "llm_0001"),
    "0004": ("accounts_0002", "llm_0002"),
}
NOW = "'2026-01-01 00:00:00'"
ONE, TWO = "1" * 32, "2" * 32
FILL_ACCOUNTS = [
    *(
        "INSERT INTO users (id, username, email, hashed_password, is_active, is_verified, is_superuser, token_version,"
        f" created_at, updated_at) VALUES ('{identifier}', '{name}', '{name}@x.io', 'h', true, true, false, 1, {NOW},"
        f" {NOW})"
        for identifier, name in [(ONE, "one"), (TWO, "two")]
    ),
    (
        "INSERT INTO one_time_tokens (user_id, purpose, token_hash, expires_at)"
        f" VALUES ('{ONE}', 'reset', 'h1', {NOW}), ('{TWO}', 'verify', 'h2', {NOW})"
    ),
    f"INSERT INTO ended_sessions VALUES ('s', {NOW})",
]
FILL_LLM = [
    (
        "INSERT INTO llm_sessions (id, user_id, title, turn_count, created_at, updated_at)"
        f" VALUES ('{ONE}', '{TWO}', 't', 2, {NOW}, {NOW})"
    ),
    f"INSERT INTO llm_turns VALUES ('{ONE}', 0, 'user', 'hi', true, NULL, {NOW})",
    (
        "INSERT INTO llm_charges (id, owner_id, model, provider, simulated, complete, input_tokens, output_tokens,"
        f" cost_nano_usd, created_at) VALUES ('c', '{TWO}', 'm', 'p', false, true, 3, 4, 5, {NOW})"
    ),
    f"INSERT INTO llm_usage VALUES ('{TWO}', '2026-01-01', 'm', false, 1, 3, 4, 5)",
]
ROWS = {"users": 2, "one_time_tokens": 2, "ended_sessions": 1}
LLM_ROWS = dict.fromkeys(("llm_sessions", "llm_turns", "llm_charges", "llm_usage"), 1)


def execute(settings: Settings, *statements: str) -> list[Any]:
    def run(connection: Connection) -> list[Any]:
        results = [connection.execute(text(statement)) for statement in statements]
        found = [list(result) for result in results if result.returns_rows]
        connection.commit()
        return found[-1] if found else []

    return cast("list[Any]", asyncio.run(ask(settings, run)))


def rows(settings: Settings, names: Iterable[str]) -> dict[str, int]:
    return {name: execute(settings, f"SELECT count(*) FROM {name}")[0][0] for name in names}


def legacy(settings: Settings, name: str) -> None:
    """Make what the single history had made at its revision `name`, with rows in every table."""
    accounts, llm = LEGACY[name]
    upgrade(service, settings, accounts)
    execute(settings, *FILL_ACCOUNTS)
    if accounts == "accounts_0002":
        execute(settings, f"INSERT INTO mails_due VALUES ('{ONE}', 'mail.x', '[]', {NOW}, {NOW})")
    if llm:
        upgrade(service, settings, llm)
        execute(settings, *FILL_LLM)
    execute(settings, "DELETE FROM alembic_version", f"INSERT INTO alembic_version VALUES ('{name}')")


@pytest.mark.parametrize("name", LEGACY)
@on_every_database
def test_each_revision_of_the_single_history_becomes_todays_schema_with_all_rows(settings: Settings, name: str) -> None:
    legacy(settings, name)
    assert current(service, settings) == tuple(filter(None, LEGACY[name]))
    upgrade(service, settings)
    assert current(service, settings) == NEWEST
    assert sorted(execute(settings, "SELECT version_num FROM alembic_version")) == [(one,) for one in NEWEST]
    assert asyncio.run(ask(settings, differences)) == []
    expected = ROWS | (dict.fromkeys(LLM_ROWS, 0) if name == "0001" else LLM_ROWS)
    expected["mails_due"] = 1 if name in {"0003", "0004"} else 0
    assert rows(settings, expected) == expected


@on_every_database
async def test_production_starts_on_the_last_schema_of_the_single_history(settings: Settings, packages: Path) -> None:
    production = settings.model_copy(update={"environment": "production"})
    await asyncio.to_thread(legacy, settings, "0004")
    same = with_first_revisions(packages, 2)
    async with Database.open(settings) as database:
        await ensure_schema(same, production, database)
    await asyncio.to_thread(execute, settings, "UPDATE alembic_version SET version_num = '0003'")
    async with Database.open(settings) as database:
        with pytest.raises(MigrationError, match="is at accounts_0002, llm_0001, this version needs llm_0002"):
            await ensure_schema(same, production, database)


@on_every_database
async def test_a_feature_that_was_left_out_keeps_its_tables_and_its_revision(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = log_lines_of(at_start, monkeypatch)
    await asyncio.to_thread(legacy, settings, "0003")
    without = replace_features(*(feature for feature in service.features if feature.name != "llm"))
    async with Database.open(settings) as database:
        await ensure_schema(without, settings, database)
        await ensure_schema(without, settings.model_copy(update={"environment": "production"}), database)
        assert await revisions_of(without, database) == (ACCOUNTS, "llm_0001")
    assert lines == []
    await asyncio.to_thread(upgrade, without, settings)
    await asyncio.to_thread(execute, settings, "DELETE FROM mails_due")
    await asyncio.to_thread(downgrade, without, settings, "accounts_0001")
    await asyncio.to_thread(upgrade, without, settings)
    assert await asyncio.to_thread(current, without, settings) == (ACCOUNTS, "llm_0001")
    expected = ROWS | LLM_ROWS
    assert await asyncio.to_thread(rows, settings, expected) == expected
    await asyncio.to_thread(upgrade, service, settings)
    assert await ask(settings, differences) == []
    assert await asyncio.to_thread(rows, settings, expected) == expected


@on_every_database
async def test_a_newer_revision_of_one_feature_starts_with_a_warning_and_stays(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = log_lines_of(at_start, monkeypatch)
    await asyncio.to_thread(upgrade, service, settings, "accounts_0001")
    await asyncio.to_thread(execute, settings, "INSERT INTO alembic_version VALUES ('llm_0099')")
    async with Database.open(settings) as database:
        await ensure_schema(service, settings, database)
        assert await revisions_of(service, database) == (ACCOUNTS, "llm_0099")
        await ensure_schema(service, settings.model_copy(update={"environment": "production"}), database)
    line = {
        "event": "schema_is_newer",
        "level": "warning",
        "feature": "llm",
        "revision": "llm_0099",
        "known": LLM,
    }
    assert lines == [line, line]
    # Only the other feature is migrated: the database has no table of this one.
    assert not [name for name in cast("set[str]", await ask(settings, tables)) if name.startswith("llm_")]


@on_every_database
def test_one_feature_or_all_can_be_downgraded(settings: Settings) -> None:
    upgrade(service, settings)
    downgrade(service, settings, "llm_0001")
    assert current(service, settings) == (ACCOUNTS, "llm_0001")
    downgrade(service, settings, "llm_0001")
    downgrade(service, settings, "llm@base")
    downgrade(service, settings, "llm@base")
    assert current(service, settings) == (ACCOUNTS,)
    upgrade(service, settings, "accounts_0001")
    assert current(service, settings) == (ACCOUNTS,)
    with pytest.raises(MigrationError, match=f"llm is at base, which is before {LLM}"):
        downgrade(service, settings, LLM)
    upgrade(service, settings, "llm_0001")
    assert current(service, settings) == (ACCOUNTS, "llm_0001")
    downgrade(service, settings)
    assert current(service, settings) == ()
    assert asyncio.run(ask(settings, tables)) == set()


def test_the_revisions_of_a_missing_sqlite_file_are_none_and_it_is_not_created(tmp_path: Path) -> None:
    settings = Settings(_env_file=None, database_url=f"sqlite:///{tmp_path}/missing/x.db")
    assert current(service, settings) == ()
    assert list(tmp_path.iterdir()) == []


@on_every_database
def test_a_feature_that_others_require_is_not_removed(settings: Settings) -> None:
    upgrade(service, settings)
    with pytest.raises(MigrationError) as raised:
        downgrade(service, settings, "accounts@base")
    assert str(raised.value) == "database: llm requires accounts; run first: inference-core downgrade llm@base"
    assert current(service, settings) == NEWEST
    assert write_revisions(service, settings, "nothing") == []


@pytest.mark.parametrize("database_url", ["sqlite", "postgresql"], indirect=True)
def test_tables_that_those_of_a_feature_that_was_left_out_refer_to_are_not_removed(settings: Settings) -> None:
    upgrade(service, settings)
    without = replace_features(*(feature for feature in service.features if feature.name != "llm"))
    with pytest.raises(MigrationError, match=r"llm_sessions|users") as raised:
        downgrade(without, settings, "accounts@base")
    assert str(raised.value).endswith("nothing was changed")
    assert "\n" not in str(raised.value)
    assert current(service, settings) == NEWEST


@on_every_database
def test_the_models_of_the_service_are_those_of_the_migrations(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    upgrade(service, settings)
    assert write_revisions(service, settings, "nothing", report=print) == []
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("revision", "message"),
    [
        ("nothing", "there is no revision 'nothing'; known: accounts_0001, .*, llm_0002"),
        ("accounts", "there is no revision 'accounts';"),
        ("notes@base", "no feature notes has migrations; known: accounts, llm"),
        ("mail@base", "no feature mail has migrations; known: accounts, llm"),
    ],
)
def test_an_unknown_revision_is_one_line(settings: Settings, revision: str, message: str) -> None:
    with pytest.raises(MigrationError, match=message) as raised:
        downgrade(service, settings, revision)
    assert "\n" not in str(raised.value)


@on_every_database
def test_of_several_processes_that_migrate_one_runs_the_migrations(
    settings: Settings, packages: Path, tmp_path: Path
) -> None:
    written, ran = written_service(packages), tmp_path / "ran"
    written.add("0002", up=f"with open({str(ran)!r}, 'a') as file:\n        file.write('x')")
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda _: upgrade(written.service, settings), range(3)))
    assert ran.read_text() == "x"
    assert current(written.service, settings) == ("accounts_0001", "llm_0001", "notes_0002")


@pytest.mark.parametrize("database_url", ["postgresql", "mariadb"], indirect=True)
async def test_migrations_of_two_databases_on_one_server_do_not_wait_for_each_other(
    settings: Settings, database_url: str
) -> None:
    server = make_url(database_url).set(database=None).render_as_string(hide_password=False)
    other = await asyncio.to_thread(create_database, server, f"other_{secrets.token_hex(4)}")
    entered, released = threading.Event(), threading.Event()

    def hold(_: Connection) -> None:
        entered.set()
        assert released.wait(300)

    holding = asyncio.create_task(asyncio.to_thread(asyncio.run, on_migration_connection(settings, hold)))
    try:
        assert await asyncio.to_thread(entered.wait, 60)
        await asyncio.to_thread(upgrade, service, Settings(_env_file=None, database_url=other))
    finally:
        released.set()
        await holding


@on_every_database
async def test_the_older_version_serves_on_the_schema_of_the_newer_one(
    settings: Settings, start_app: AppFactory, packages: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = log_lines_of(at_start, monkeypatch)
    await asyncio.to_thread(upgrade, service, settings)
    newer = with_first_revisions(packages, 1000)
    accounts = next(feature for feature in newer.features if feature.name == "accounts")
    scripts = Written(newer, folder_of(accounts.load("migrations")), "accounts")
    column = 'sa.Column("nickname", sa.String(20), nullable=False, server_default="none")'
    last = ACCOUNTS.rpartition("_")[2]
    scripts.add("0999", up=f'op.add_column("users", {column})', after=last)
    production = settings.model_copy(update={"environment": "production"})
    async with Database.open(settings) as database:
        with pytest.raises(MigrationError, match="this version needs accounts_0999"):
            await ensure_schema(newer, production, database)
    async with start_app(database_url=settings.database_url) as running:
        await running.register()
        await asyncio.to_thread(upgrade, newer, settings)
        user = await running.register()
        tokens = await running.login(user)
    # After a rollback, the code starts on the newer schema, and its own migration changes nothing.
    await asyncio.to_thread(upgrade, service, settings)
    async with start_app(database_url=settings.database_url) as rolled_back:
        me = await rolled_back.client.get("/api/v1/auth/me", headers=tokens.bearer)
        assert (me.status_code, me.json()["username"]) == (200, user.username)
        await rolled_back.register()
    assert [line["event"] for line in lines] == ["schema_is_newer"]
    assert await asyncio.to_thread(current, newer, settings) == ("accounts_0999", LLM)
    assert await asyncio.to_thread(rows, settings, ["users"]) == {"users": 3}


CREATE = 'op.create_table("{}", sa.Column("id", sa.Integer(), primary_key=True))'


def test_a_feature_whose_name_starts_with_that_of_another_has_its_own_history(
    settings: Settings, packages: Path
) -> None:
    features = []
    for name in ("notes", "notes_extra"):
        package = new_package(packages, name)
        written = Written(service, package, name)
        written.add("0001", up=CREATE.format(name), down=f'op.drop_table("{name}")', after=None)
        features.append(Feature(name=name, migrations=package.name))
    shop = Service(name="shop", features=tuple(features))
    upgrade(shop, settings)
    assert current(shop, settings) == ("notes_0001", "notes_extra_0001")
    downgrade(shop, settings, "notes@base")
    assert current(shop, settings) == ("notes_extra_0001",)
    assert asyncio.run(ask(settings, tables)) == {"notes_extra"}
    execute(settings, "UPDATE alembic_version SET version_num = 'notes_extra_0002'")
    upgrade(shop, settings)
    assert current(shop, settings) == ("notes_0001", "notes_extra_0002")


def test_folders_with_spaces_and_percent_signs_are_migrated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packages = tmp_path / "with space %20 %(x)s" / "packages"
    packages.mkdir(parents=True)
    monkeypatch.syspath_prepend(str(packages))
    package = packages / "notes_in_percent"
    package.mkdir()
    (package / "__init__.py").touch()
    written = Written(Service(name="shop", features=(Feature(name="notes", migrations=package.name),)), package)
    written.add("0001", up=CREATE.format("notes"), after=None)
    settings = Settings(_env_file=None, database_url=f"sqlite:///{tmp_path}/a %41 %25b/x.db")
    upgrade(written.service, settings)
    assert current(written.service, settings) == ("notes_0001",)
    assert (tmp_path / "a A %b" / "x.db").is_file()
