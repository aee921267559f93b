"""Test the note of a merge request against a stub of GitLab: it is found and updated, and nothing else is posted."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from loadgate.report.ab.summary import markdown_summary
from tests.loadgate.report.ab.documents import HOSTILE, KINDS, failed, passed
from tests.support.comment_platform import Platform, PlatformHandler, script, served

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / ".gitlab" / "performance_comment.py"
BOT, PERSON = 7, 8
SUMMARY = markdown_summary(failed())
NOTES = "/projects/5/merge_requests/17/notes"


POST = script(SCRIPT)


def note(number: int, body: str, author: int = BOT) -> dict[str, Any]:
    return {"id": number, "body": body, "author": {"id": author}}


class GitLab(Platform):
    """A stub of the routes that the script uses. It notes what is written and the tokens of all requests."""

    def __init__(self) -> None:
        super().__init__(_Answers)
        self.requests: list[dict[str, Any]] = [{"iid": 17}]
        self.pipelines = [{"id": 30, "project_id": 5}, {"id": 31, "project_id": 5}, {"id": 40, "project_id": 6}]
        self.jobs = [
            {"id": 90, "name": "compare", "status": "failed"},
            {"id": 91, "name": "test", "status": "success"},
        ]
        self.summaries: dict[int, bytes] = {90: SUMMARY.encode()}
        self.notes: list[dict[str, Any]] = []

    def answer(self, path: str, query: dict[str, list[str]]) -> Any:
        """Return the answer to a GET request. None if there is no such route."""
        first = 100 * (int(query.get("page", ["1"])[0]) - 1)
        if path == "/projects/5/merge_requests" and query["state"] == ["opened"] and query["labels"] == ["performance"]:
            return self.requests[first : first + 100]
        return {
            "/user": {"id": BOT},
            "/projects/5/merge_requests/17/pipelines": self.pipelines,
            "/projects/5/pipelines/31/jobs": self.jobs[first : first + 100],
            NOTES: self.notes[first : first + 100],
        }.get(path)


class _Answers(PlatformHandler):
    server: GitLab

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        self.server.tokens[url.path] = self.headers["PRIVATE-TOKEN"]
        if found := re.fullmatch(r"/projects/5/jobs/(\d+)/artifacts/summary\.md", url.path):
            known = int(found[1]) in self.server.summaries
            self.send(302 if known else 404, b"", {"Location": f"{self.server.url}/storage/{found[1]}"})
        elif url.path.startswith("/storage/"):
            self.send(200, self.server.summaries[int(url.path.rpartition("/")[2])])
        else:
            answer = self.server.answer(url.path, parse_qs(url.query))
            self.send(404 if answer is None else 200, json.dumps(answer).encode())

    def do_POST(self) -> None:
        assert self.headers["Content-Type"] == "application/json"
        super().do_POST()


@pytest.fixture
def gitlab() -> Iterator[GitLab]:
    """Run a stub of GitLab."""
    with served(GitLab()) as server:
        yield server


@pytest.fixture
def post(gitlab: GitLab, monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """Return a function that runs the script."""
    for name, value in {"CI_API_V4_URL": gitlab.url, "CI_PROJECT_ID": "5", "NOTES_TOKEN": "secret"}.items():
        monkeypatch.setenv(name, value)

    def posting() -> int:
        code: int = POST.main()
        return code

    return posting


def test_the_first_comparison_is_posted(gitlab: GitLab, post: Callable[[], int]) -> None:
    assert post() == 0
    assert gitlab.written == [("POST", NOTES, SUMMARY.rstrip("\n"))]


def test_a_later_comparison_updates_the_note_of_the_account(gitlab: GitLab, post: Callable[[], int]) -> None:
    marker = SUMMARY.splitlines()[-1]
    gitlab.notes = [
        *(note(number, "chatter", PERSON) for number in range(150)),
        note(201, f"looks like it\n{marker}", PERSON),
        note(202, markdown_summary(passed()).replace("medium", "light")),
        note(205, markdown_summary(passed())),
    ]
    assert post() == 0
    assert gitlab.written == [("PUT", f"{NOTES}/205", SUMMARY.rstrip("\n"))]


def test_an_unchanged_comparison_writes_nothing(gitlab: GitLab, post: Callable[[], int]) -> None:
    gitlab.notes = [note(205, SUMMARY)]
    assert post() == 0
    assert gitlab.written == []


def test_the_token_is_not_sent_to_the_host_of_the_download(gitlab: GitLab, post: Callable[[], int]) -> None:
    assert post() == 0
    assert gitlab.tokens["/projects/5/jobs/90/artifacts/summary.md"] == "secret"
    assert gitlab.tokens["/storage/90"] is None


def test_only_the_newest_finished_comparison_counts(gitlab: GitLab, post: Callable[[], int]) -> None:
    gitlab.jobs += [
        {"id": 95, "name": "compare", "status": "success"},
        {"id": 99, "name": "compare", "status": "running"},
    ]
    gitlab.summaries[95] = markdown_summary(passed()).encode()
    assert post() == 0
    assert [body for _, _, body in gitlab.written] == [markdown_summary(passed()).rstrip("\n")]


@pytest.mark.parametrize("missing", ["pipelines", "jobs", "summaries"])
def test_a_merge_request_without_a_comparison_gets_no_note(
    gitlab: GitLab, post: Callable[[], int], capsys: pytest.CaptureFixture[str], missing: str
) -> None:
    getattr(gitlab, missing).clear()
    assert post() == 0
    assert gitlab.written == []
    assert capsys.readouterr().out == "merge request 17: its newest pipeline has no finished comparison\n"


def test_the_pipeline_of_a_fork_is_not_asked(gitlab: GitLab, post: Callable[[], int]) -> None:
    gitlab.pipelines = [{"id": 40, "project_id": 6}]
    assert post() == 0
    assert gitlab.written == []


@pytest.mark.parametrize(
    "content",
    [
        b"\xff\xfe",
        b"no summary",
        b"x" * 300_000,
        *(
            SUMMARY.replace("\n", f"\n{text}\n", 1).encode()
            for text in ("/close", " /approve", "!17", "%1", "&17", "&amp;1", "@team", "~bug", "#17", HOSTILE)
        ),
    ],
)
def test_text_that_loadgate_would_have_escaped_is_not_posted(
    gitlab: GitLab, post: Callable[[], int], capsys: pytest.CaptureFixture[str], content: bytes
) -> None:
    gitlab.summaries[90] = content
    assert post() == 1
    assert gitlab.written == []
    assert capsys.readouterr().err.startswith("performance-comment: merge request 17: ")


@pytest.mark.parametrize("kind", KINDS)
def test_every_summary_that_loadgate_writes_can_be_posted(kind: str) -> None:
    summary = markdown_summary(KINDS[kind]())
    assert POST.checked(summary.encode()) == summary.rstrip("\n")


def test_errors_are_one_line(
    gitlab: GitLab,
    post: Callable[[], int],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_Answers, "do_POST", lambda self: self.send(403, b""))
    assert post() == 1
    assert capsys.readouterr().err == "performance-comment: GitLab answered with status 403\n"
    monkeypatch.delenv("NOTES_TOKEN")
    assert post() == 1
    assert capsys.readouterr().err == "performance-comment: the variable NOTES_TOKEN is not set\n"


def test_the_documented_jobs_keep_the_token_away_from_the_compared_code() -> None:
    page = (ROOT / "docs" / "performance-testing.md").read_text(encoding="utf-8")
    (text,) = [block for block in re.findall(r"(?s)```yaml\n(.*?)```", page) if "performance_comment.py" in block]
    jobs = yaml.safe_load(text)
    comparing, commenting = jobs["compare"], jobs["comment"]
    assert "merge_request_event" in comparing["rules"][0]["if"]
    assert "environment" not in comparing
    assert "NOTES_TOKEN" not in json.dumps(comparing)
    assert POST.FILE in comparing["artifacts"]["paths"]
    assert (ROOT / commenting["script"][-1].split()[-1]) == SCRIPT
    assert "schedule" in commenting["rules"][0]["if"]
    assert "CI_DEFAULT_BRANCH" in commenting["rules"][0]["if"]
    assert commenting["environment"]["name"] in page.replace(text, "")
    assert "needs" not in commenting
