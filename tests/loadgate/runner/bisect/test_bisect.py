"""Search for the first bad commit in real repositories, with comparisons whose results are known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from loadgate.analysis.ab.result import Change
from loadgate.analysis.ab.segments import Margins
from loadgate.analysis.decision import RuleOutcome
from loadgate.cli.comparing import bisect_command
from loadgate.errors import CommandError
from loadgate.exit_codes import ExitCode
from loadgate.project import Project
from loadgate.report.ab.document import AbDocument
from loadgate.runner.ab.commits import CommitError
from loadgate.runner.ab.request import AbRequest
from loadgate.runner.ab.sides import SideError
from loadgate.runner.bisect.command import BisectError, BisectRequest, bisect, measure_of
from tests.loadgate.report.ab.documents import change, document, guards, result
from tests.loadgate.runner.ab.repositories import commit, git, repository, state

pytestmark = pytest.mark.process

SLOWER = 0.2


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@dataclass
class Service:
    """A repository whose commits from `first_bad` on are slow, and comparisons that know it."""

    repo: Path
    commits: Sequence[str]
    first_bad: int
    half_width: float = 0.03
    broken: frozenset[int] = frozenset()
    """Commits whose target does not start."""
    noisy: frozenset[int] = frozenset()
    """Commits whose comparison has a broken guard."""
    requests: list[AbRequest] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    on_compare: Callable[[], None] = lambda: None

    def compare(self, request: AbRequest) -> AbDocument:
        self.requests.append(request)
        self.on_compare()
        base, head = (self.commits.index(commit) for commit in (request.base or "", request.head or ""))
        if base in self.broken:
            raise SideError(f"base, {request.base}: the target ended with exit code 1")
        value = SLOWER if base < self.first_bad <= head else 0.004
        outcome = RuleOutcome.FAIL if value == SLOWER else RuleOutcome.PASS
        measured: Change = change(value=value, half=self.half_width, outcome=outcome)
        judged = result([change("tasks", 99.0), measured], outcome, "")
        return document(replace(judged, guards=guards(broken=base in self.noisy)))

    def bisect(self, good: int = 0, bad: int = -1, rule: str = "auth: p95") -> ExitCode:
        request = BisectRequest(self.commits[good], self.commits[bad], measure_of(rule), AbRequest(profile="medium"))
        return bisect(request, Project(root=self.repo), self.compare, self.said.append)

    @property
    def text(self) -> str:
        return "\n".join(self.said)


@pytest.fixture
def service(tmp_path: Path) -> Service:
    repo = repository(tmp_path / "repo")
    commits = [git(repo, "rev-parse", "HEAD")]
    commits += [commit(repo, f"Change {number}", a_txt=str(number)) for number in range(1, 12)]
    return Service(repo, commits, 7)


@pytest.mark.parametrize("first_bad", [1, 2, 6, 11])
def test_the_first_bad_commit_is_found(service: Service, first_bad: int) -> None:
    service.first_bad = first_bad
    assert service.bisect() == ExitCode.PASS
    found = next(line for line in service.said if line.startswith("first bad commit"))
    short = git(service.repo, "rev-parse", "--short", service.commits[first_bad])
    day = git(service.repo, "show", "-s", "--format=%as", service.commits[first_bad])
    assert found == f"first bad commit: {short} Change {first_bad} ({day})"
    assert "from its parent to" in service.text
    assert "auth: p95 +20.0 % (+17.0 to +23.0 %)" in service.text
    assert len(service.requests) <= 6
    assert all(request.head == service.commits[-1] for request in service.requests)
    assert [request.rule for request in service.requests][:2] == [measure_of("auth: p95"), None]
    assert [request.rate for request in service.requests] == [None, *["20/s"] * (len(service.requests) - 1)]


def test_nothing_of_the_user_changes_even_during_a_search_of_theirs(service: Service, cache: Path) -> None:
    git(service.repo, "bisect", "start", service.commits[-1], service.commits[2])
    (service.repo / "b.txt").write_text("not committed")
    before = (state(service.repo), git(service.repo, "bisect", "log"))
    assert service.bisect() == ExitCode.PASS
    assert (state(service.repo), git(service.repo, "bisect", "log")) == before
    assert not list(cache.rglob("tree"))


def test_an_interrupt_leaves_nothing_behind(service: Service, cache: Path) -> None:
    before = state(service.repo)

    def interrupt() -> None:
        if len(service.requests) == 3:
            raise CommandError("interrupted, so there is no result")

    service.on_compare = interrupt
    with pytest.raises(CommandError, match="interrupted"):
        service.bisect()
    assert state(service.repo) == before
    assert not list(cache.rglob("tree"))
    service.on_compare = lambda: None
    assert service.bisect() == ExitCode.PASS


def test_commits_that_do_not_start_are_skipped(service: Service) -> None:
    service.broken = frozenset({5})
    assert service.bisect() == ExitCode.PASS
    assert "Change 7" in service.text
    assert "is undecided: base, " in service.text


def test_all_commits_that_can_be_the_first_bad_one_are_listed(service: Service) -> None:
    service.broken = frozenset({6})
    service.noisy = frozenset({7})
    assert service.bisect() == ExitCode.INCONCLUSIVE
    assert "INCONCLUSIVE: some commits are undecided; the first bad commit is one of these 3:" in service.text
    listed = [line for line in service.said if line.startswith("  ")]
    assert [line.split(" (")[0].rpartition(" ")[2] for line in listed] == ["8", "7", "6"]
    assert "is undecided: The control server was 3.4 % slower with head." in service.text


def test_a_comparison_that_is_too_imprecise_decides_nothing(service: Service) -> None:
    service.half_width = 0.15
    assert service.bisect() == ExitCode.INCONCLUSIVE
    assert "is undecided: auth: p95 " in service.text


def test_ends_that_do_not_differ_are_not_searched(service: Service) -> None:
    service.first_bad = 99
    assert service.bisect() == ExitCode.INCONCLUSIVE
    assert "not proven, so the search does not start: auth: p95 +0.400 %" in service.text
    assert len(service.requests) == 1


def test_ends_without_a_valid_comparison_are_not_searched(service: Service) -> None:
    service.noisy = frozenset({0})
    assert service.bisect() == ExitCode.INCONCLUSIVE
    assert "not proven: The control server was 3.4 % slower with head." in service.text


def test_wrong_requests_are_one_line(service: Service) -> None:
    with pytest.raises(BisectError, match="give an older commit of the same branch as GOOD"):
        service.bisect(good=-1, bad=0)
    with pytest.raises(BisectError, match=r"GOOD and BAD are the same commit, \w+; give an older commit as GOOD"):
        service.bisect(good=1, bad=1)
    with pytest.raises(CommitError, match="unknown commit 'nope'"):
        bisect(
            BisectRequest("nope", "HEAD", measure_of("auth: p95"), AbRequest()),
            Project(root=service.repo),
            service.compare,
            service.said.append,
        )
    assert service.requests == []
    with pytest.raises(BisectError, match="no run has the rule llm: p95; compared rules: tasks: p99, auth: p95"):
        service.bisect(rule="llm: p95")


@pytest.mark.parametrize(
    "text", ["", "auth", "auth: p95 < 3ms", "auth: requests", "api: memory growth", ": p95", "auth:"]
)
def test_what_is_no_measure_is_refused(text: str) -> None:
    with pytest.raises(BisectError, match="must be a scope with a percentile, mean or failures, such as 'auth: p95'"):
        measure_of(text)


@pytest.mark.parametrize("text", ["auth: p95", "GET /a:b: p99.9", "overall: failures", "auth: mean"])
def test_a_measure_is_read_like_a_rule(text: str) -> None:
    assert str(measure_of(text)) == text


def test_the_command_searches_for_small_changes_of_fast_routes_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    requests: list[BisectRequest] = []
    monkeypatch.setattr("loadgate.runner.bisect.command.bisect", lambda request, *_: requests.append(request) or 0)
    assert bisect_command("v1", "v2", "auth: p95") == 0
    assert requests[0].comparison.margins == Margins(ignore_ms=0.0)
