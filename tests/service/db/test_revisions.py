"""`inference-core revision` writes scripts for every kind of database, and the other commands of migrations."""

from __future__ import annotations

import re
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from inference_core.core.database_url import shown_database_url
from tests.support.servers.databases import DATABASES, create_database
from tests.support.shop import Shop, new_shop

ROOT = Path(__file__).resolve().parents[3]
MORE_NOTES = """\
    pages: Mapped[int] = mapped_column(server_default="1")
    mood_before: Mapped[Mood | None] = mapped_column(sa.Enum(Mood, name="mood_before"))
    tone: Mapped[str | None] = mapped_column(sa.Enum("x", "y", name="tone"))
"""
MORE_EXTRA = """\
    edited_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

class Copy(Base):
    __tablename__ = "copies"

    extra_id: Mapped[int] = mapped_column(sa.ForeignKey("extras.id"), primary_key=True)
    flag: Mapped[bool] = mapped_column(server_default=sa.true())
"""


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return new_shop(tmp_path / "a shop %20")


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'shop.db'}"


NOTHING = ("revision", "-m", "nothing")


def run_on_all(shop: Shop, urls: Iterable[str], *commands: tuple[str, ...]) -> None:
    """Run commands on each database. The models must then be the same as its tables."""
    pairs = [(url, command) for url in urls for command in (*commands, NOTHING)]
    for (_, command), lines in zip(pairs, shop.run_all(*pairs), strict=True):
        if command == NOTHING:
            scripts = [*shop.scripts("notes"), *shop.scripts("extra")]
            found = [path.read_text() for path in scripts if "nothing" in path.name]
            assert lines == ["nothing has changed"], "\n".join(found)


def check_style(shop: Shop) -> None:
    """Hold written scripts to the rules of this repository, which the service has, too."""
    paths = [*shop.scripts("notes"), *shop.scripts("extra")]
    for command in (["ruff", "check"], ["ruff", "format", "--check"]):
        subprocess.run([sys.executable, "-m", *command, *paths], cwd=shop.folder, check=True)
    # It uses the cache of `make check`.
    mypy = [sys.executable, "-m", "mypy", "--config-file", ROOT / "pyproject.toml", *paths]
    checked = subprocess.run(mypy, cwd=ROOT, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout


@pytest.mark.full
@pytest.mark.xdist_group("postgresql")
@pytest.mark.parametrize("kind", DATABASES)
def test_a_script_that_is_written_with_one_kind_of_database_runs_on_all(
    kind: str, shop: Shop, url: str, postgresql: str, mariadb: str
) -> None:
    # The scripts are formatted by the rules of the project that they belong to.
    shutil.copy(ROOT / "pyproject.toml", shop.folder)
    with (shop.folder / "pyproject.toml").open("a") as file:
        file.write('\n[tool.inference_core]\nservice = "shop.service:service"\n')
    urls = {"sqlite": url}
    for server, server_url in (("postgresql", postgresql), ("mariadb", mariadb)):
        base = make_url(server_url).set(database=None).render_as_string(hide_password=False)
        made = create_database(base, f"shop_{secrets.token_hex(4)}")
        urls[server] = made.replace("test:test@", "test:te%73t@").replace("//test@", "//te%73t@")

    written = shop.run(urls[kind], "revision", "-m", "add notes")
    assert [line.split(": written")[0] for line in written] == [
        str(shop.scripts("notes")[0]),
        str(shop.scripts("extra")[0]),
    ]
    run_on_all(shop, urls.values(), ("migrate",), ("downgrade", "base", "--yes"), ("migrate",))

    shop.replace(shop.notes, "    # more columns\n", MORE_NOTES)
    shop.replace(shop.notes, "sa.String(20), server_default", "sa.String(40), server_default")
    shop.replace(shop.notes, 'server_default="0"', 'server_default="7"')
    shop.replace(shop.notes, "raw: Mapped[bytes | None]", "raw: Mapped[bytes]")
    shop.replace(shop.notes, '        sa.Index("ix_notes_done", "done", "created_at"),\n', "")
    shop.replace(shop.notes, "    ratio: Mapped[float] = mapped_column(sa.Float)\n", "")
    shop.replace(shop.extra, "    # more columns\n", MORE_EXTRA)
    shop.replace(shop.extra, "from uuid", "from datetime import datetime\nfrom uuid")
    shop.replace(shop.extra, "import Base\n", "import Base, UtcDateTime\n")
    written = shop.run(urls[kind], "revision", "-m", "change notes")
    assert len([line for line in written if ": written" in line]) == 2
    run_on_all(
        shop,
        urls.values(),
        ("migrate",),
        ("downgrade", "notes_0001"),
        ("upgrade", "notes_0002"),
        ("downgrade", "notes_extra_0001"),
        ("migrate",),
    )
    check_style(shop)


def test_the_first_script_has_the_name_of_its_feature_and_is_written_once(shop: Shop, url: str) -> None:
    shop.run(url, "revision", "-m", '  ein "Übermaß"  an\\Text.  ', "--feature", "notes")
    (script,) = shop.scripts("notes")
    assert script.name == "r0001_ein_uberma_an_text.py"
    text = script.read_text()
    assert text.startswith('"""Ein \'Übermaß\' an/Text."""\n')
    assert 'revision = "notes_0001"\ndown_revision = None\nbranch_labels = ("notes",)\n' in text
    assert "sa.ForeignKeyConstraint" in text  # the table without a class, which another module of the feature defines
    assert shop.scripts("extra") == []
    assert shop.run(url, "revision", "-m", "again", code=1) == [
        "inference-core: database: notes is at base, and its newest revision is notes_0001; run: inference-core migrate"
    ]
    shop.run(url, "migrate")
    assert shop.run(url, "revision", "-m", "again", "--feature", "notes") == [
        "feature notes_extra: its tables have changed as well; run: inference-core revision --feature notes_extra",
        "nothing has changed",
    ]
    shop.run(url, "revision", "-m", "日本")
    assert [path.name for path in shop.scripts("extra")] == ["r0001.py"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-m", ""], "-m must be a text of 1 to 100 characters"),
        (["-m", " . "], "-m must be a text of 1 to 100 characters"),
        (["-m", " \t"], "-m must be a text of 1 to 100 characters"),
        (["-m", "x" * 101], "-m must be a text of 1 to 100 characters"),
        (["-m", "a\x1b[31m"], "-m must be a text of 1 to 100 characters"),
        (["-m", "x", "--feature", "note"], "there is no feature note; the features of shop are notes, notes_extra"),
    ],
)
def test_a_wrong_argument_is_one_line(shop: Shop, url: str, arguments: list[str], message: str) -> None:
    (line,) = shop.run(url, "revision", *arguments, code=1)
    assert line.startswith(f"inference-core: {message}")
    assert shop.scripts("notes") == []


def test_a_feature_without_a_folder_for_migrations_is_one_line_with_what_to_add(shop: Shop, url: str) -> None:
    shop.replace(shop.service, 'migrations="shop.notes.migrations"', "")
    (line,) = shop.run(url, "revision", "-m", "x", code=1)
    assert line == (
        "inference-core: feature notes: it has tables, but no folder for migrations; create the package "
        'shop.notes.migrations, and add migrations="shop.notes.migrations" to the feature'
    )
    assert shop.scripts("extra") == []


def test_a_file_that_cannot_be_written_is_one_line_and_leaves_no_file(shop: Shop, url: str) -> None:
    # A directory in the place of the second file: root may write into a read-only folder.
    (shop.folder / "shop" / "extra" / "migrations" / "r0001_x.py").mkdir()
    (line,) = shop.run(url, "revision", "-m", "x", code=1)
    assert line.startswith("inference-core: ")
    assert "r0001_x.py" in line
    assert shop.scripts("notes") == []


def test_dropped_tables_and_columns_and_required_columns_are_pointed_out(shop: Shop, url: str) -> None:
    shop.run(url, "revision", "-m", "add notes")
    shop.run(url, "migrate")
    shop.replace(shop.notes, "from shop.notes import tags\n", "")
    shop.replace(shop.notes, "    # more columns\n", "    must: Mapped[int]\n")
    shop.replace(shop.notes, "    ratio: Mapped[float] = mapped_column(sa.Float)\n", "")
    lines = shop.run(url, "revision", "-m", "change")
    script = shop.scripts("notes")[1]
    assert [line.removeprefix(f"{script.name}: ").split(";")[0] for line in lines[1:]] == [
        "drops the table note_tags",
        "adds notes.must, which needs a server_default if the table has rows, because it is NOT NULL",
        "drops the column notes.ratio with its values",
    ]
    assert lines[0].startswith(f"{script}: written")
    assert "upgrade_deletes_from: tuple[str, ...] = ()\n" in script.read_text()


def test_a_renamed_table_belongs_to_its_feature(shop: Shop, url: str) -> None:
    shop.run(url, "revision", "-m", "add notes")
    shop.run(url, "migrate")
    shop.replace(shop.extra, '"extras"', '"copies"')
    shop.run(url, "revision", "-m", "rename")
    script = shop.scripts("extra")[1]
    assert 'op.drop_table("extras")' in script.read_text()
    shop.replace(script, script.read_text().partition("def upgrade")[2], RENAMED)
    shop.run(url, "migrate")
    assert shop.run(url, "revision", "-m", "nothing") == ["nothing has changed"]
    shop.replace(shop.extra, "class Extra", "class Other")
    shop.replace(shop.extra, '"copies"', '"others"')
    shop.run(url, "revision", "-m", "drop")
    assert 'op.drop_table("copies")' in shop.scripts("extra")[2].read_text()


RENAMED = '''() -> None:
    """Apply the change."""
    op.rename_table("extras", "copies")
    with op.batch_alter_table("copies") as batch:
        batch.drop_index("ix_extras_note_id")
        batch.create_index("ix_copies_note_id", ["note_id"])
        batch.drop_constraint("fk_extras_note_id_notes", type_="foreignkey")
        batch.create_foreign_key("fk_copies_note_id_notes", "notes", ["note_id"], ["id"])


def downgrade() -> None:
    """Revert the change."""
    op.rename_table("copies", "extras")
'''


def test_tables_of_features_that_were_left_out_are_not_dropped(shop: Shop, url: str) -> None:
    shop.run(url, "revision", "-m", "add notes")
    shop.run(url, "migrate")
    text = shop.service.read_text()
    begin, end = text.index('        Feature(\n            name="notes_extra"'), text.index("    ),\n)")
    shop.service.write_text(text[:begin] + text[end:])
    assert shop.run_all((url, ["revision", "-m", "x"]), (url, ["current"]), (url, ["migrate"]), (url, ["current"])) == [
        ["nothing has changed"],
        ["notes: notes_0001 (newest)", "notes_extra_0001: of a feature that shop does not have"],
        [up_to_date(url)],
        ["notes: notes_0001 (newest)", "notes_extra_0001: of a feature that shop does not have"],
    ]


def up_to_date(url: str) -> str:
    return f"the database {shown_database_url(url)} is up to date"


def test_a_migration_names_the_database_and_the_applied_revisions(shop: Shop, url: str) -> None:
    shop.run(url, "revision", "-m", "add notes")
    assert shop.run(url, "upgrade", "notes_0001") == [
        "applied 1 migration: notes_0001",
        f"the database {shown_database_url(url)} has notes_0001",
    ]
    assert shop.run(url, "migrate") == ["applied 1 migration: notes_extra_0001", up_to_date(url)]
    assert shop.run(url, "migrate") == [up_to_date(url)]
    shop.run(url, "downgrade", "base", "--yes")
    assert shop.run(url, "migrate") == ["applied 2 migrations: notes_0001, notes_extra_0001", up_to_date(url)]


def test_a_newer_schema_is_shown_and_kept(shop: Shop, url: str) -> None:
    shop.run(url, "revision", "-m", "add notes")
    shop.run(url, "migrate")
    shop.replace(shop.extra, "    # more columns\n", "    place: Mapped[int | None]\n")
    shop.run(url, "revision", "-m", "add a place")
    shop.run(url, "migrate")
    shop.scripts("extra")[1].unlink()
    newer = "notes_extra: notes_extra_0002, made by a newer version (this version knows notes_extra_0001)"
    assert shop.run(url, "current") == ["notes: notes_0001 (newest)", newer]
    assert shop.run(url, "migrate") == [
        f"inference-core: {newer}; this feature was not changed",
        up_to_date(url),
    ]
    (line,) = shop.run(url, "revision", "-m", "x", code=1)
    assert "it is at notes_extra_0002, which is newer than the scripts in" in line
    (line,) = shop.run(url, "downgrade", "base", "--yes", code=1)
    assert "notes_extra_0002 was made by a newer version of notes_extra" in line


def test_dropping_all_tables_is_asked_for(shop: Shop, url: str) -> None:
    shop.run(url, "revision", "-m", "add notes")
    shop.run(url, "migrate")
    assert "Drop all tables" in shop.run(url, "downgrade", "base", code=1)[0]
    assert shop.run(url, "current")[0] == "notes: notes_0001 (newest)"
    assert shop.run(url, "downgrade", "notes_extra@base") == ["the database is at notes_extra@base"]
    assert shop.run(url, "downgrade", "base", "--yes") == ["the database is at base"]
    assert shop.run(url, "current") == [
        "notes: base (newest is notes_0001)",
        "notes_extra: base (newest is notes_extra_0001)",
    ]
    assert shop.run(url, "upgrade", "notes_0001") == [
        "applied 1 migration: notes_0001",
        f"the database {shown_database_url(url)} has notes_0001",
    ]


def test_a_broken_script_is_one_line_for_every_command(shop: Shop, url: str) -> None:
    shop.run(url, "revision", "-m", "add notes")
    (script,) = shop.scripts("notes")
    shop.replace(script, "down_revision = None", "down_revision = = None")
    commands = [["migrate"], ["current"], ["revision", "-m", "x"], ["downgrade", "base", "--yes"]]
    for (line,) in shop.run_all(*((url, command) for command in commands), code=1):
        assert re.fullmatch(rf"inference-core: migrations: {re.escape(str(script))}, line \d+: invalid syntax", line)
