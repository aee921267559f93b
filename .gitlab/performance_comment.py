"""Post the summaries of comparisons as notes of their merge requests. For a scheduled pipeline of the default branch.

    NOTES_TOKEN=… python3 .gitlab/performance_comment.py

A merge request with the label `performance` gets one note for each profile, which later comparisons update. The summary
is the artifact `summary.md` of the job `compare` in the newest pipeline of the merge request. The code of the merge
request has written it, so it is checked like the comment on GitHub, whose script has to be in this repository. Only the
standard library is needed.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LABEL = "performance"
JOB = "compare"
FILE = "summary.md"
PAGE_LENGTH = 100
MAX_PAGES = 20
MAX_BYTES = 20_000_000
TIMEOUT_S = 30.0

ONLY_GITLAB = re.compile(r"(?:[!%]|&amp;)(?=\d)|^\s*/")
"""References to merge requests, milestones and epics, and quick actions, which run with the rights of the token."""


def _github() -> Any:
    """Return the module of the comment on GitHub."""
    path = Path(__file__).parents[1] / ".github" / "actions" / "performance-comment" / "post.py"
    spec = importlib.util.spec_from_file_location("performance_comment", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is missing")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look for their module
    spec.loader.exec_module(module)
    return module


GITHUB = _github()


@dataclass(frozen=True)
class Api:
    """The REST API of GitLab for one project. `url` and `project` come from the variables of the job."""

    url: str
    project: str
    token: str

    def get(self, path: str, **query: str | int) -> Any:
        """Return the answer to a GET request."""
        return json.loads(self.read(f"{self._place(path)}?{urllib.parse.urlencode(query)}"))

    def pages(self, path: str, **query: str | int) -> Iterator[Any]:
        """Yield the items of all pages."""
        for page in range(1, MAX_PAGES + 1):
            items = self.get(path, per_page=PAGE_LENGTH, page=page, **query)
            yield from items
            if len(items) < PAGE_LENGTH:
                return

    def send(self, method: str, path: str, body: str) -> None:
        """Create or update a note."""
        self.read(self._place(path), method, json.dumps({"body": body}).encode())

    def file(self, job: int) -> bytes | None:
        """Return the summary of a job. None if it has none."""
        try:
            return self.read(self._place(f"jobs/{job}/artifacts/{FILE}"), most=GITHUB.MAX_SUMMARY_BYTES)
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            raise

    def user(self) -> int:
        """Return the id of the account of the token."""
        return int(json.loads(self.read(f"{self.url}/user"))["id"])

    def read(self, url: str, method: str = "GET", body: bytes | None = None, most: int = MAX_BYTES) -> bytes:
        """Return at most this number of bytes of an answer."""
        request = urllib.request.Request(url, body, method=method)
        if body is not None:
            request.add_header("Content-Type", "application/json")
        # A download can be redirected to another host, which must not get the token.
        request.add_unredirected_header("PRIVATE-TOKEN", self.token)
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
            content: bytes = answer.read(most + 1)
        if len(content) > most:
            raise GITHUB.Refused(f"an answer has more than {most} bytes")
        return content

    def _place(self, path: str) -> str:
        return f"{self.url}/projects/{self.project}/{path}"


def main() -> int:
    """Post the summaries of all open merge requests. Return the exit code."""
    try:
        api = Api(os.environ["CI_API_V4_URL"], os.environ["CI_PROJECT_ID"], os.environ["NOTES_TOKEN"])
    except KeyError as error:
        return _failed(f"the variable {error.args[0]} is not set")
    code = 0
    try:
        author = api.user()
        for request in list(api.pages("merge_requests", state="opened", labels=LABEL)):
            number = int(request["iid"])
            try:
                print(f"merge request {number}: {comment(api, number, author)}")
            except GITHUB.Refused as error:
                code = _failed(f"merge request {number}: {error}")
    except urllib.error.HTTPError as error:
        return _failed(f"GitLab answered with status {error.code}")
    except urllib.error.URLError as error:
        return _failed(f"GitLab cannot be reached: {error.reason}")
    except GITHUB.UNEXPECTED as error:
        return _failed(f"an answer of GitLab cannot be used: {type(error).__name__}")
    return code


def comment(api: Api, number: int, author: int) -> str:
    """Post the summary of the newest comparison of a merge request, and return what was done."""
    job = job_of(api, number)
    content = None if job is None else api.file(job)
    if content is None:
        return "its newest pipeline has no finished comparison"
    summary = checked(content)
    marker = summary.splitlines()[-1]
    notes = f"merge_requests/{number}/notes"
    for note in api.pages(notes):
        lines = note["body"].rstrip().splitlines()
        if note["author"]["id"] == author and lines[-1:] == [marker]:
            if note["body"].rstrip() == summary:
                return "the note is up to date"
            api.send("PUT", f"{notes}/{int(note['id'])}", summary)
            return "updated the note"
    api.send("POST", notes, summary)
    return "posted a note"


def job_of(api: Api, number: int) -> int | None:
    """Return the finished job `compare` of the newest pipeline. None if there is none.

    The pipeline of a fork runs in the fork, where the token has no rights.
    """
    pipelines = api.get(f"merge_requests/{number}/pipelines", per_page=PAGE_LENGTH)
    own = [int(one["id"]) for one in pipelines if str(one["project_id"]) == api.project]
    if not own:
        return None
    jobs: list[Mapping[str, Any]] = list(api.pages(f"pipelines/{max(own)}/jobs"))
    finished = [int(job["id"]) for job in jobs if job["name"] == JOB and job["status"] in {"success", "failed"}]
    return max(finished, default=None)


def checked(content: bytes) -> str:
    """Return the summary if it contains only what `loadgate ab` writes."""
    try:
        summary: str = GITHUB.checked(content.decode())
    except UnicodeDecodeError as error:
        raise GITHUB.Refused(f"{FILE} is not text") from error
    # The last line is the marker, which has been checked.
    for number, line in GITHUB.texts(summary.splitlines()[:-1]):
        if ONLY_GITLAB.search(line):
            raise GITHUB.Refused(f"line {number} of {FILE} has text that loadgate would have escaped")
    return summary


def _failed(message: str) -> int:
    print(f"performance-comment: {message}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
