"""Test the comment of a pull request against a stub of GitHub: it is found and updated, and nothing else is posted."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from loadgate.report.ab.summary import MAX_CHARACTERS, markdown_summary
from tests.loadgate.report.ab.documents import HOSTILE, KINDS, failed, passed
from tests.support.comment_platform import Platform, PlatformHandler, script, served

SCRIPT = Path(__file__).parents[2] / ".github" / "actions" / "performance-comment" / "post.py"
BOT = "github-actions[bot]"
COMMIT = "5" * 40
SUMMARY = markdown_summary(failed())


POST = script(SCRIPT)


def archive(
    content: str | bytes = SUMMARY,
    name: str = "20260501T000000Z-medium/summary.md",
    compression: int = zipfile.ZIP_DEFLATED,
) -> bytes:
    """A zip archive with one file."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", compression) as files:
        files.writestr(name, content)
    return packed.getvalue()


def pull(number: int = 17, *, sha: str = COMMIT, source: str | None = "stranger/project") -> dict[str, Any]:
    """A pull request as GitHub describes it. `source` is None if its fork was deleted."""
    head = {"sha": sha, "repo": {"full_name": source} if source else None}
    return {"number": number, "head": head, "base": {"repo": {"full_name": "team/project"}}}


def comment(number: int, body: str, login: str = BOT) -> dict[str, Any]:
    """A comment as GitHub describes it."""
    return {"id": number, "body": body, "user": {"login": login}}


class GitHub(Platform):
    """A stub of the routes that the script uses. It notes what is written and the tokens of downloads."""

    def __init__(self) -> None:
        super().__init__(_Answers)
        self.artifacts = [{"id": 5}, {"id": 7}]
        self.archive = archive()
        self.pulls = [pull()]
        self.comments: list[dict[str, Any]] = []
        self.asked: list[str] = []

    def answer(self, path: str, query: dict[str, list[str]]) -> Any:
        """Return the answer to a GET request."""
        self.asked.append(path)
        if path.endswith("/runs/3/artifacts"):
            return {"artifacts": self.artifacts if query["name"] == ["performance-comparison"] else []}
        if path.endswith("/pulls"):
            return self.pulls if query["head"] == ["stranger:fast; rm -rf /"] else []
        first = 100 * (int(query["page"][0]) - 1)
        return self.comments[first : first + 100] if path.endswith("/issues/17/comments") else None


class _Answers(PlatformHandler):
    server: GitHub

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        self.server.tokens[url.path] = self.headers["Authorization"]
        if url.path.endswith("/artifacts/7/zip"):
            self.send(302, b"", {"Location": f"{self.server.url}/download"})
        elif url.path == "/download":
            self.send(200, self.server.archive)
        else:
            self.send(200, json.dumps(self.server.answer(url.path, parse_qs(url.query))).encode())


@pytest.fixture
def github() -> Iterator[GitHub]:
    """Run a stub of GitHub."""
    with served(GitHub()) as server:
        yield server


@pytest.fixture
def post(github: GitHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Return a function that runs the script for the event of a workflow run."""

    def posting(**run: Any) -> int:
        event = {
            "id": 3,
            "head_sha": COMMIT,
            "head_branch": "fast; rm -rf /",
            "head_repository": {"full_name": "stranger/project"},
            "pull_requests": [],
            **run,
        }
        path = tmp_path / "event.json"
        path.write_text(json.dumps({"workflow_run": event}))
        monkeypatch.setenv("GITHUB_EVENT_PATH", str(path))
        monkeypatch.setenv("GITHUB_API_URL", github.url)
        monkeypatch.setenv("GITHUB_REPOSITORY", "team/project")
        monkeypatch.setenv("TOKEN", "secret")
        monkeypatch.setenv("AUTHOR", BOT)
        code: int = POST.main()
        return code

    return posting


def test_the_first_comparison_of_a_fork_is_posted(github: GitHub, post: Callable[..., int]) -> None:
    assert post() == 0
    assert github.written == [("POST", "/repos/team/project/issues/17/comments", SUMMARY.rstrip("\n"))]


def test_a_later_comparison_updates_the_comment_of_the_bot(github: GitHub, post: Callable[..., int]) -> None:
    marker = SUMMARY.splitlines()[-1]
    github.comments = [
        *(comment(number, "chatter", "person") for number in range(150)),
        comment(201, f"looks like the bot\n{marker}", "person"),
        comment(202, markdown_summary(passed()).replace("medium", "light")),
        {"id": 203, "body": None, "user": None},
        comment(204, f"{marker}\nquoted above"),
        comment(205, markdown_summary(passed())),
    ]
    assert post() == 0
    assert github.written == [("PATCH", "/repos/team/project/issues/comments/205", SUMMARY.rstrip("\n"))]


def test_the_token_is_not_sent_to_the_host_of_the_download(github: GitHub, post: Callable[..., int]) -> None:
    assert post() == 0
    assert github.tokens["/repos/team/project/actions/artifacts/7/zip"] == "Bearer secret"
    assert github.tokens["/download"] is None


def test_a_run_without_a_comparison_posts_nothing(
    github: GitHub, post: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    github.artifacts = []
    assert post() == 0
    assert capsys.readouterr().out == "the run has no comparison\n"
    assert github.written == []


@pytest.mark.parametrize(
    "pulls",
    [[], [pull(sha="6" * 40)], [pull(source="other/project")], [pull(source=None)]],
    ids=["closed", "newer commit", "other fork", "deleted fork"],
)
def test_only_the_pull_request_of_the_commit_gets_a_comment(
    github: GitHub, post: Callable[..., int], pulls: list[dict[str, Any]]
) -> None:
    github.pulls = pulls
    assert post() == 0
    assert github.written == []


def test_a_deleted_fork_gets_no_comment(github: GitHub, post: Callable[..., int]) -> None:
    assert post(head_repository=None) == 0
    assert github.written == []


def test_two_pull_requests_of_one_branch_are_not_mixed_up(
    github: GitHub, post: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    github.pulls = [pull(17), pull(18)]
    assert post() == 1
    assert "2 pull requests have this branch" in capsys.readouterr().err
    assert github.written == []


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"no archive", "the artifact cannot be read: BadZipFile"),
        (archive(b"\xff\xfe"), "the artifact cannot be read: UnicodeDecodeError"),
        (archive(name="other.md"), "the artifact has 0 files summary.md, and must have one"),
        (archive("x" * 300_000), "summary.md has more than 200000 bytes"),
        (archive("### PASS: x\n" + "x" * 70_000 + "\n<!-- loadgate ab m -->"), "summary.md has more than 65536 char"),
        (archive("x\n" * 100_000), "summary.md has more than 65536 characters"),
        (archive(compression=zipfile.ZIP_LZMA), "summary.md has the compression 14, which GitHub does not write"),
        (archive(compression=zipfile.ZIP_BZIP2), "summary.md has the compression 12, which GitHub does not write"),
        (archive()[:-40], "the artifact cannot be read: BadZipFile"),
        (b"x" * 1_000_001, "an answer has more than 1000000 bytes"),
    ],
)
def test_a_bad_artifact_is_not_posted(
    github: GitHub, post: Callable[..., int], capsys: pytest.CaptureFixture[str], content: bytes, problem: str
) -> None:
    github.archive = content
    assert post() == 1
    error = capsys.readouterr().err
    assert error.startswith(f"performance-comment: {problem}")
    assert len(error.splitlines()) == 1
    assert github.written == []


def test_an_error_of_github_is_one_line(
    github: GitHub, post: Callable[..., int], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_Answers, "do_POST", lambda self: self.send(403, b""))
    assert post() == 1
    assert capsys.readouterr().err == "performance-comment: GitHub answered with status 403\n"


@pytest.mark.parametrize("body", [b"<html>", b"", b"null", b"[]", b'{"artifacts": [{"id": "x"}]}', b"[" * 100_000])
def test_an_answer_of_another_form_is_one_line(
    github: GitHub,
    post: Callable[..., int],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    body: bytes,
) -> None:
    monkeypatch.setattr(_Answers, "do_GET", lambda self: self.send(200, body))
    assert post() == 1
    error = capsys.readouterr().err
    assert error.startswith("performance-comment: an answer of GitHub cannot be used: ")
    assert len(error.splitlines()) == 1
    assert github.written == []


@pytest.mark.parametrize(
    "block",
    [
        "```shell\nloadgate ab x; touch x\n```",
        "```shell\nloadgate ab $(touch x)\n```",
        "```shell\nloadgate ab 'x' | sh\n```",
        "```shell\nloadgate ab x && sh\n```",
        '```shell\nloadgate ab "$HOME"\n```',
        "```shell\ntouch x\n```",
        "```shell\nloadgate ab '```'\n```",
        "```shell\nloadgate ab 'a\u202eb'\n```",
        "```shell\nloadgate ab x\n@team\n```",
        "```shell\nloadgate ab x\n````",
        "```python\nloadgate ab x\n```",
        "```shell\nloadgate ab x\n```\n\n```shell\nloadgate ab x\n```",
    ],
)
def test_a_block_of_code_has_one_command_of_loadgate(block: str) -> None:
    start, end = "### PASS: x", "<!-- loadgate ab m -->"
    good = f"{start}\n\n```shell\nloadgate ab 'a'\"'\"'@team; b' --ignore 5%\n```\n\n{end}"
    assert POST.checked(good) == good
    with pytest.raises(POST.Refused, match="text that loadgate would have escaped"):
        POST.checked(f"{start}\n\n{block}\n\n{end}")


@pytest.mark.parametrize("kind", KINDS)
def test_every_summary_that_loadgate_writes_can_be_posted(kind: str) -> None:
    summary = markdown_summary(KINDS[kind]())
    assert POST.checked(summary) == summary.rstrip("\n")
    assert MAX_CHARACTERS < POST.MAX_CHARACTERS


@pytest.mark.parametrize(
    "text",
    [
        *("@team", "a@evil.example", "\\@team", "&#64;team", "&commat;team", "#17", "GH-17", "org/repo#17"),
        *("<b>", "<!-- x -->", "<img src=x>", "[a](b)", "![a](b)", "\\\\[a](b)", "[a]: b", "`code`", "~~~", "$x$"),
        *("http://evil.example", "HTTPS://evil.example", "http:\\//evil.example", "www.evil.example", "&#119;ww.x"),
        *("\u202eabc", "\x1b[31m", "a\rb", "/close", HOSTILE),
    ],
)
def test_a_summary_that_loadgate_would_have_escaped_is_refused(text: str) -> None:
    lines = SUMMARY.rstrip("\n").split("\n")
    for place in (1, len(lines) - 1):
        with pytest.raises(POST.Refused, match=r"^line \d+ of summary\.md has text that loadgate would have escaped$"):
            POST.checked("\n".join([*lines[:place], text, *lines[place:]]))


@pytest.mark.parametrize("summary", ["", "\n", SUMMARY + "more\n", "hello\n" + SUMMARY, "<!-- loadgate ab medium -->"])
def test_other_text_is_refused(summary: str) -> None:
    with pytest.raises(POST.Refused, match=r"is not the summary of a comparison"):
        POST.checked(summary)
