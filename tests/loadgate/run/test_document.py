"""Test run.json: the published schema matches the model, and old files can be read. Errors are one line."""

from __future__ import annotations

import contextlib
import json
import math
import os
import random
import zlib
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import loadgate
from loadgate.recorder import packed
from loadgate.report.ab.document import AbDocument
from loadgate.report.artefacts import DAMAGED, RUN_FILES
from loadgate.report.baseline import read_baseline
from loadgate.report.rebuilding import rebuild
from loadgate.run.document import SCHEMA_VERSION, RunDocument, RunFileError, read_run, stored_file
from loadgate.run.document.schema import schema_text
from tests.loadgate.report.runs import KINDS
from tests.support.run_documents import as_json
from tests.support.synthetic_run import Synthetic, synthetic_document

STORED = Path(__file__).with_name("run-version-3.json")
VERSION_2 = Path(__file__).with_name("run-version-2.json")
SCHEMA_FILE = Path(loadgate.__file__).parent / "run/run.schema.json"
VALIDATOR = jsonschema.Draft202012Validator(json.loads(SCHEMA_FILE.read_text(encoding="utf-8")))
LEFT_OUT = object()


@pytest.fixture
def data() -> dict[str, Any]:
    """Return a run with all optional parts, as JSON."""
    read: dict[str, Any] = json.loads(STORED.read_text(encoding="utf-8"))
    return read


def problem_of(text: str, folder: Path) -> str:
    """Return the error for a run.json with this text, without the file's name."""
    file = folder / "run.json"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(RunFileError) as refused:
        read_run(folder)
    line = str(refused.value)
    assert line.startswith(f"{file}: ")
    assert len(line.splitlines()) == 1
    return line.removeprefix(f"{file}: ")


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of each value in a document, and of the first two values in a list."""
    inside = value.items() if isinstance(value, dict) else list(enumerate(value))[:2] if isinstance(value, list) else ()
    for key, item in inside:
        yield (*at, key)
        yield from places(item, (*at, key))


def changed(data: dict[str, Any], at: tuple[Any, ...], new: Any) -> dict[str, Any]:
    """Return a copy in which one value is replaced or removed."""
    copy: dict[str, Any] = json.loads(json.dumps(data))
    inside: Any = copy
    for key in at[:-1]:
        inside = inside[key]
    if new is LEFT_OUT:
        del inside[at[-1]]
    else:
        inside[at[-1]] = new
    return copy


def test_the_published_schema_is_that_of_the_model() -> None:
    command = "python -m loadgate.run.document.schema > loadgate/run/run.schema.json"
    assert SCHEMA_FILE.read_text(encoding="utf-8") == schema_text(), f"write it anew: {command}"
    jsonschema.Draft202012Validator.check_schema(VALIDATOR.schema)


@pytest.mark.parametrize("kind", KINDS)
def test_run_json_is_valid_under_its_schema(kind: str) -> None:
    VALIDATOR.validate(as_json(KINDS[kind]()))


def test_a_file_of_version_3_is_read_and_written_without_changes(data: dict[str, Any]) -> None:
    document = read_run(STORED)
    assert as_json(document) == data
    assert document.verdict.rules[1].window_s == 2
    assert document.run.profile.stages[1].duration == 3
    assert document.target is not None
    memory = document.resources.record().series("api", "memory")
    assert memory is not None
    assert memory.values == [1e8, 1.1e8]
    assert document.recording.recorder().totals().requests == document.totals.overall.requests == 54


def test_a_file_of_version_2_is_read_with_its_memory_as_a_resource() -> None:
    data = json.loads(VERSION_2.read_text(encoding="utf-8"))
    document = read_run(VERSION_2)
    assert document.schema_version == SCHEMA_VERSION
    assert document.target is not None
    memory = document.resources.record().series("target", "rss")
    assert memory is not None
    assert memory.values == data["target"]["rss_bytes"]["rss_bytes"]
    assert as_json(document)["totals"] == data["totals"]


@pytest.mark.parametrize("target", [None, 3, {"rss_bytes": 4}, {"rss_bytes": {"times_s": ["x"], "rss_bytes": [1]}}])
def test_a_damaged_target_of_version_2_is_refused_or_has_no_resources(target: object, tmp_path: Path) -> None:
    data = json.loads(VERSION_2.read_text(encoding="utf-8")) | {"target": target}
    if target is None:
        (tmp_path / "run.json").write_text(json.dumps(data))
        assert read_run(tmp_path).resources.columns == []
    else:
        assert problem_of(json.dumps(data), tmp_path).startswith("damaged: .target")


def test_the_reader_and_the_schema_refuse_the_same_documents(data: dict[str, Any], tmp_path: Path) -> None:
    every = [(at, new) for at in places(data) for new in (None, "x", -1, 0.5, True, {}, [], LEFT_OUT)]
    for at, new in random.Random(6).sample(every, 150):
        wrong = changed(data, at, new)
        (tmp_path / "run.json").write_text(json.dumps(wrong))
        reads = True
        try:
            read_run(tmp_path)
        except RunFileError:
            reads = False
        # The schema leaves it to the reader whether a text is a time.
        assert reads == VALIDATOR.is_valid(wrong) or at[-1] in {"started_at", "ended_at"}, (at, new)


def test_keys_of_a_newer_loadgate_are_ignored(data: dict[str, Any], tmp_path: Path) -> None:
    data["run"]["newer"] = data["verdict"]["rules"][0]["newer"] = data["newer"] = {"any": "thing"}
    (tmp_path / "run.json").write_text(json.dumps(data))
    assert read_run(tmp_path) == read_run(STORED)


def test_another_version_is_refused_with_a_solution(data: dict[str, Any], tmp_path: Path) -> None:
    assert problem_of(json.dumps(data | {"schema_version": 4, "verdict": "in another form"}), tmp_path) == (
        "written by a newer version of loadgate: its schema version is 4, and this loadgate reads versions 2 and 3; "
        "read it with the version of loadgate that wrote it, or update loadgate"
    )
    assert problem_of('{"schema_version": 1}', tmp_path) == (
        "written by an older version of loadgate: its schema version is 1, and this loadgate reads versions 2 and 3; "
        "read it with the version of loadgate that wrote it, or run the test again"
    )


@pytest.mark.parametrize(
    ("at", "new", "said"),
    [
        (("verdict", "rules", 0, "value"), "x", '.verdict.rules[0].value should be a number, not "x"'),
        (("verdict", "reason"), None, ".verdict.reason should be a valid string, not null"),
        (("verdict", "outcome"), "good", ".verdict.outcome should be 'pass', 'fail' or 'inconclusive', not \"good\""),
        (
            ("totals", "overall", "requests"),
            -1,
            ".totals.overall.requests should be greater than or equal to 0, not -1",
        ),
        (
            ("totals", "groups", "shop", "success_ms", "p99.9"),
            LEFT_OUT,
            '.totals.groups.shop.success_ms["p99.9"] is missing',
        ),
        (("run", "profile", "run_time"), [], ".run.profile.run_time should be a text or a number, not []"),
        (("run", "started_at"), "noon", '.run.started_at should be a time in ISO 8601, not "noon"'),
        (("user_counts", 0), [1], ".user_counts[0][1] is missing"),
    ],
)
def test_a_damaged_file_is_refused_with_place_and_value(
    data: dict[str, Any], tmp_path: Path, at: tuple[Any, ...], new: Any, said: str
) -> None:
    wanted = f"damaged: {said}; restore the file, or delete the folder of this run"
    assert problem_of(json.dumps(changed(data, at, new)), tmp_path) == wanted


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "not JSON: EOF while parsing an object at line 1 column 1; "),
        ("", "not JSON: EOF while parsing a value at line 1 column 0; "),
        ("\x00", "not JSON: "),
        ("[" * 100_000, "not JSON: recursion limit exceeded"),
        ("[]", "not a run of loadgate: "),
        ("{}", "not a run of loadgate: "),
        ('{"schema_version": "2"}', 'damaged: schema_version is "2", and this loadgate reads versions 2 and 3; '),
    ],
)
def test_a_file_that_is_not_a_run_is_refused(tmp_path: Path, text: str, said: str) -> None:
    problem = problem_of(text, tmp_path)
    assert problem.startswith(said)
    assert problem.endswith("; restore the file, or delete the folder of this run")


def test_a_missing_run_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(RunFileError, match="No such file or directory"):
        read_run(tmp_path)


def named_pipe(file: Path) -> None:
    os.mkfifo(file)


def device(file: Path) -> None:
    file.symlink_to("/dev/zero")


def sparse_file(file: Path) -> None:
    with file.open("wb") as opened:
        opened.truncate(2 * stored_file.MAX_BYTES)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (named_pipe, "not a regular file; "),
        (device, "not a regular file; "),
        (lambda file: file.symlink_to(file), "Too many levels of symbolic links"),
        (sparse_file, "larger than 1.00 kB; "),
    ],
)
@pytest.mark.parametrize("read", [read_run, AbDocument.read, read_baseline])
def test_what_is_no_file_or_too_large_is_refused_at_once(
    make: Callable[[Path], None],
    said: str,
    read: Callable[[Path], object],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stored_file, "MAX_BYTES", 1000)
    make(tmp_path / "made.json")
    with pytest.raises(RunFileError, match=rf"made\.json: {said}"):
        read(tmp_path / "made.json")


@pytest.mark.parametrize("part", ["cells", "in_flight"])
def test_the_size_of_unpacked_columns_is_bounded(
    part: str, data: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packed, "MAX_UNPACKED", 10_000)
    large = b64encode(zlib.compress(bytes(10_001))).decode()
    series = data["recording"]["series"][0]
    if part == "cells":
        series["cells"]["columns"] = large
    else:
        row = {key: series[key] for key in ("group", "name")} | {"count": 1, "columns": large}
        data["recording"]["in_flight"] = [row]
    (tmp_path / "run.json").write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(RunFileError, match=r"damaged: ValueError: .* cannot be read: they have more than 9999 bytes; "):
        rebuild(tmp_path)


def test_a_damaged_document_is_refused_or_shown_but_never_crashes(data: dict[str, Any], tmp_path: Path) -> None:
    every = [(at, new) for at in places(data) for new in ("x", None, -1, 1e300, 10**400, math.inf, [], LEFT_OUT)]
    refused = 0
    for at, new in random.Random(6).sample(every, 300):
        (tmp_path / "run.json").write_text(json.dumps(changed(data, at, new)))
        try:
            read = read_run(tmp_path)
        except RunFileError as error:
            refused += 1
            assert len(str(error).splitlines()) == 1  # noqa: PT017 - both ways are right
            continue
        with contextlib.suppress(*DAMAGED):
            RUN_FILES.rebuild(read, tmp_path)
    assert refused > 200


def test_text_of_a_target_that_cannot_be_encoded_is_replaced() -> None:
    document = synthetic_document(Synthetic(duration_s=5, names=1))
    data = as_json(document)
    data["run"]["host"] = data["verdict"]["notes"] = "half \ud83d"
    data["verdict"]["notes"] = ["half \ud83d"]
    read = RunDocument.model_validate(data, strict=False)
    assert read.run.host == "half ?"
    assert json.loads(read.to_json())["verdict"]["notes"] == ["half ?"]
