"""Post the summary of a comparison as a comment of its pull request, or update the earlier comment.

The summary was written by the code of the pull request, which can be from a stranger. It is therefore data: its size is
limited, it is never part of a command, and it is not posted if it contains anything but plain text, tables and lists.
The number of the pull request comes from GitHub and not from the summary. Only the standard library is needed.
"""

from __future__ import annotations

import http.client
import io
import json
import os
import re
import struct
import sys
import urllib.error
import urllib.parse
import urllib.request
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

ARTIFACT = "performance-comparison"
MAX_ARCHIVE_BYTES = 1_000_000
MAX_SUMMARY_BYTES = 200_000
MAX_CHARACTERS = 65_536
"""The maximum length of a comment, which GitHub sets."""

PAGE_LENGTH = 100
MAX_PAGES = 50
TIMEOUT_S = 30.0

COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""What GitHub writes. Others need as much memory as the archive asks for."""

UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    OSError,
    RuntimeError,
    ValueError,
    struct.error,
)
"""The exceptions of damaged archives and of encrypted files."""

UNEXPECTED = (OSError, http.client.HTTPException, ValueError, LookupError, TypeError, AttributeError, RecursionError)
"""The exceptions of answers that end early or have another form than documented."""

MARKER = re.compile(r"<!-- loadgate ab [\w.~%-]{1,100} -->", re.ASCII)
FIRST_LINE = re.compile(r"### (?:PASS|FAIL|INCONCLUSIVE): ")
FENCE = re.compile(r"(`{3,2000})shell")
COMMAND = re.compile(r"loadgate ab(?: (?:[\w@%+=:,./-]|'[^']*'|\"'\")+)+(?:'[^']*)?…?", re.ASCII)
"""One command without other commands, as Python quotes it. A long one is cut."""

FORBIDDEN = re.compile(
    r"<"  # a tag or a comment
    r"|(?<!\\)(?:\\\\)*[`\[\]~$]"  # code, a link, an image, a formula
    r"|\\[^\\`*_~$|\[\]#>+=.)-]"  # an escape that hides one of the following
    r"|&(?!amp;|lt;|#8203;)"  # a character that hides one of the following
    r"|@(?=\w)|(?<!&)#(?=\d)|\bGH-\d|://|\bwww\.",  # a mention, an issue, a URL
    re.IGNORECASE,
)


class Refused(Exception):  # noqa: N818 - no error: the text says why there is no comment
    """Raised if the summary or the answers of GitHub are not as expected."""


@dataclass(frozen=True)
class Api:
    """The REST API of GitHub for one repository."""

    url: str
    repository: str
    token: str

    def get(self, path: str, **query: str | int) -> Any:
        """Return the answer to a GET request."""
        return json.loads(self.read(f"{self._place(path)}?{urllib.parse.urlencode(query)}"))

    def pages(self, path: str) -> Iterator[Any]:
        """Yield the items of all pages."""
        for page in range(1, MAX_PAGES + 1):
            items = self.get(path, per_page=PAGE_LENGTH, page=page)
            yield from items
            if len(items) < PAGE_LENGTH:
                return

    def send(self, method: str, path: str, content: Mapping[str, str]) -> None:
        """Send a request with a JSON body."""
        self.read(self._place(path), method, json.dumps(content).encode())

    def read(self, url: str, method: str = "GET", body: bytes | None = None, most: int = 50_000_000) -> bytes:
        """Return at most this number of bytes of an answer."""
        request = urllib.request.Request(url, body, method=method)
        request.add_header("Accept", "application/vnd.github+json")
        request.add_header("X-GitHub-Api-Version", "2022-11-28")
        # A download is redirected to another host, which must not get the token.
        request.add_unredirected_header("Authorization", f"Bearer {self.token}")
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
            content: bytes = answer.read(most + 1)
        if len(content) > most:
            raise Refused(f"an answer has more than {most} bytes")
        return content

    def _place(self, path: str) -> str:
        return f"{self.url}/repos/{self.repository}/{path}"


def main() -> int:
    """Post the summary of the run that started this workflow. Return the exit code."""
    event = json.loads(Path(os.environ["GITHUB_EVENT_PATH"]).read_text(encoding="utf-8"))
    api = Api(os.environ["GITHUB_API_URL"], os.environ["GITHUB_REPOSITORY"], os.environ["TOKEN"])
    author = os.environ["AUTHOR"]
    try:
        print(comment(api, event["workflow_run"], author))
    except Refused as error:
        print(f"performance-comment: {error}", file=sys.stderr)
        return 1
    except urllib.error.HTTPError as error:
        print(f"performance-comment: GitHub answered with status {error.code}", file=sys.stderr)
        return 1
    except urllib.error.URLError as error:
        print(f"performance-comment: GitHub cannot be reached: {error.reason}", file=sys.stderr)
        return 1
    except UNEXPECTED as error:
        print(f"performance-comment: an answer of GitHub cannot be used: {type(error).__name__}", file=sys.stderr)
        return 1
    return 0


def comment(api: Api, run: Mapping[str, Any], author: str) -> str:
    """Post the summary of a workflow run, and return what was done."""
    archive = archive_of(api, int(run["id"]))
    if archive is None:
        return "the run has no comparison"
    summary = checked(summary_in(archive))
    number = pull_request_of(api, run)
    if number is None:
        return "no open pull request has this commit as its newest one"
    marker = summary.splitlines()[-1]
    for found in api.pages(f"issues/{number}/comments"):
        lines = (found["body"] or "").rstrip().splitlines()
        if (found["user"] or {}).get("login") == author and lines[-1:] == [marker]:
            api.send("PATCH", f"issues/comments/{int(found['id'])}", {"body": summary})
            return f"updated the comment of pull request {number}"
    api.send("POST", f"issues/{number}/comments", {"body": summary})
    return f"commented on pull request {number}"


def archive_of(api: Api, run_id: int) -> bytes | None:
    """Return the archive of the artifact. None if the run has none."""
    found = api.get(f"actions/runs/{run_id}/artifacts", name=ARTIFACT, per_page=PAGE_LENGTH)["artifacts"]
    if not found:
        return None
    newest = max(int(artifact["id"]) for artifact in found)
    return api.read(f"{api.url}/repos/{api.repository}/actions/artifacts/{newest}/zip", most=MAX_ARCHIVE_BYTES)


def summary_in(archive: bytes) -> str:
    """Return the text of the only summary.md in an archive. Nothing is written to the disk."""
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as files:
            found = [info for info in files.infolist() if PurePosixPath(info.filename).name == "summary.md"]
            if len(found) != 1:
                raise Refused(f"the artifact has {len(found)} files summary.md, and must have one")
            if found[0].compress_type not in COMPRESSIONS:
                raise Refused(f"summary.md has the compression {found[0].compress_type}, which GitHub does not write")
            with files.open(found[0]) as file:
                content = file.read(MAX_SUMMARY_BYTES + 1)
        if len(content) > MAX_SUMMARY_BYTES:
            raise Refused(f"summary.md has more than {MAX_SUMMARY_BYTES} bytes")
        return content.decode()
    except UNREADABLE as error:
        raise Refused(f"the artifact cannot be read: {type(error).__name__}") from error


def checked(summary: str) -> str:
    """Return the summary if it contains only what `loadgate ab` writes."""
    *lines, marker = summary.rstrip("\n").split("\n")
    if len(summary) > MAX_CHARACTERS:
        raise Refused(f"summary.md has more than {MAX_CHARACTERS} characters")
    if not MARKER.fullmatch(marker) or not lines or not FIRST_LINE.match(lines[0]):
        raise Refused("summary.md is not the summary of a comparison")
    for number, line in texts(lines):
        if FORBIDDEN.search(line) or not line.isprintable() or line.startswith("/"):
            raise Refused(f"line {number} of summary.md has text that loadgate would have escaped")
    return "\n".join([*lines, marker])


def texts(lines: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Yield the lines with their numbers, without the block of code at the end, in which nothing is markup."""
    *before, first, command, last, empty = lines if len(lines) > 4 else ["", "", "", "", *lines]
    fence = FENCE.fullmatch(first)
    is_block = fence is not None and fence[1] == last and last not in command and not empty
    is_block = is_block and COMMAND.fullmatch(command) is not None and command.isprintable()
    yield from enumerate(before if is_block else lines, 1)


def pull_request_of(api: Api, run: Mapping[str, Any]) -> int | None:
    """Return the number of the open pull request with the commit of the run. None if it has a newer commit.

    `pull_requests` of the event is empty for a fork, so GitHub is asked for the pull requests of the branch.
    """
    if run["head_repository"] is None:
        return None  # the fork was deleted
    source, branch, commit = run["head_repository"]["full_name"], run["head_branch"], run["head_sha"]
    owner = source.split("/", 1)[0]
    found = [
        int(pull["number"])
        for pull in api.get("pulls", state="open", head=f"{owner}:{branch}", per_page=PAGE_LENGTH)
        if pull["head"]["sha"] == commit
        and (pull["head"]["repo"] or {}).get("full_name") == source
        and pull["base"]["repo"]["full_name"] == api.repository
    ]
    if len(found) > 1:
        raise Refused(f"{len(found)} pull requests have this branch, so the right one is not known")
    return found[0] if found else None


if __name__ == "__main__":
    sys.exit(main())
