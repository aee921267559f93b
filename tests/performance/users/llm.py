"""Users of the LLM endpoints: one reads answers as they are generated, one has them made by a worker.

They run only against a target that says that none of its answers can cost money.
"""

import random
import time
from typing import Any

import gevent
from locust import task
from locust.exception import StopUser

from loadgate.checks import HttpCheck
from loadgate.sse import event_stream
from users.account import AccountUser
from users.base import API
from users.llm_answer import LIVE_MODEL, StreamedAnswer

NO_LIVE_CALLS = HttpCheck(
    name="LLM",
    path=f"{API}/llm/health",
    expect={"live_calls_possible": False},
    start="ALLOW_LIVE_LLM=0 in the environment of the API and the workers",
)
TOPICS = (
    "tides",
    "hash tables",
    "sourdough",
    "Rust's borrow checker",
    "jet lag",
    "the Doppler effect",
    "mortgages",
    "DNS",
)
TURNS = 4
POLL_S = 0.5
TASK_LIMIT_S = 60.0


class LLMUser(AccountUser):
    """What both kinds share: their questions, no two of them alike, and the condition that they are free."""

    abstract = True
    preflight = (NO_LIVE_CALLS,)

    def question(self) -> str:
        """A question that nobody has asked before, so that no two answers are the same."""
        return f"{self.account.username} asks ({random.getrandbits(32):x}): how do {random.choice(TOPICS)} work?"


class LLMStreamUser(LLMUser):
    """Somebody who reads answers while they come: single questions, and conversations of a few turns."""

    weight = 4
    group = "llm_streams"

    session_id: str | None = None
    turns = 0

    @task
    def explain(self) -> None:
        """One question."""
        self.read("/llm/explain/stream", {"question": self.question()}, "LLM - Explain Stream")

    @task
    def converse(self) -> None:
        """The next turn of a conversation; a new one after a few."""
        request = {"user_input": self.question()} | ({"session_id": self.session_id} if self.session_id else {})
        answer = self.read("/llm/conversation/stream", request, "LLM - Conversation Stream")
        self.turns += 1
        is_over = answer is None or self.turns >= TURNS
        self.session_id = None if is_over or answer is None else (answer.start or {}).get("session_id")
        self.turns = 0 if is_over else self.turns

    def read(self, path: str, request: dict[str, Any], name: str) -> StreamedAnswer | None:
        """Read an answer to its end; None for a bad one.

        Raises:
            StopUser: a model answered that may cost money.
        """
        answer = StreamedAnswer()
        with event_stream(self.client, f"{API}{path}", name=name, json=request, headers=self.bearer()) as stream:
            for event in stream:
                answer.take(event.data, event.at_ms)
            if stream.status_code == 401:
                self.keep_tokens(None)
            if stream.status_code != 200:
                return None
            problem = answer.problem()
            if problem is None and "conversation" in path and not self.goes_on(request, answer):
                problem = "the answer belongs to another conversation"
            if problem is None:
                stream.success()
            else:
                stream.failure(problem)
        if problem == LIVE_MODEL:
            raise StopUser
        if problem is not None or stream.error is not None:
            return None
        self.measure_answer(answer)
        return answer

    @staticmethod
    def goes_on(request: dict[str, Any], answer: StreamedAnswer) -> bool:
        """Whether an answer says to which conversation it belongs, and that it is the one that was asked."""
        session_id = (answer.start or {}).get("session_id")
        return bool(session_id) and request.get("session_id", session_id) == session_id

    def measure_answer(self, answer: StreamedAnswer) -> None:
        """Record the times of a good answer, each at the moment at which it was taken."""
        e2e_ms = answer.e2e_ms or 0.0
        sent_s = time.time() - e2e_ms / 1000
        first_s, end_s = sent_s + answer.ttft_ms / 1000, sent_s + e2e_ms / 1000
        self.measure("LLM - TTFT", answer.ttft_ms, "llm_ttft", at_s=first_s)
        self.measure("LLM - E2E", e2e_ms, "llm_e2e", at_s=end_s)
        if answer.tpot_ms is not None:
            self.measure("LLM - TPOT", answer.tpot_ms, "llm_tpot", at_s=end_s)
        if answer.ttft_overhead_ms is not None:
            self.measure("LLM - TTFT Overhead", answer.ttft_overhead_ms, "llm_ttft_overhead", at_s=first_s)
        came_s = [sent_s + time_ms / 1000 for time_ms in answer.token_times_ms[1:]]
        for gap_ms, at_s in zip(answer.gaps_ms, came_s, strict=True):
            self.measure("LLM - ITL", gap_ms, "llm_itl", at_s=at_s)
        for overhead_ms, at_s in zip(answer.gap_overheads_ms, came_s, strict=False):
            self.measure("LLM - ITL Overhead", overhead_ms, "llm_itl_overhead", at_s=at_s)
        if answer.is_good:
            self.measure("LLM - Goodput", e2e_ms, "llm_goodput", at_s=end_s)


class LLMTaskUser(LLMUser):
    """Somebody who leaves a question with the workers and comes back for the answer."""

    weight = 1
    group = "llm_tasks"
    preflight = (NO_LIVE_CALLS, "worker")

    @task(2)
    def explain(self) -> None:
        """One question."""
        self.have_answered("/llm/explain", {"question": self.question()}, "LLM - Submit Explain", "answer")

    @task(1)
    def converse(self) -> None:
        """The first turn of a conversation."""
        self.have_answered("/llm/conversation", {"user_input": self.question()}, "LLM - Submit Conversation", "reply")

    def have_answered(self, path: str, request: dict[str, Any], name: str, key: str) -> None:
        """Submit, then ask for the result until it is there.

        Raises:
            StopUser: a model answered that may cost money.
        """
        began = time.perf_counter()
        with self.authorized("POST", path, name, json=request) as response:
            submitted = response.expect(200, {"task_id": "*", "status": "PENDING", "message": "*"})
        if submitted is None:
            return
        wanted = {"success": True, f"result.{key}": "*", "metadata.usage.output_tokens": "> 0"}
        while True:
            gevent.sleep(POLL_S)
            waited_s = time.perf_counter() - began
            with self.authorized("GET", f"/tasks/{submitted['task_id']}/result", "LLM - Task Result") as response:
                if response.status_code != 202:
                    answer = response.expect(200, wanted)
                    if answer is not None and answer["metadata"].get("simulated") is not True:
                        response.failure(LIVE_MODEL)
                        raise StopUser
                    break
                if waited_s > TASK_LIMIT_S:
                    response.failure(f"no result after {TASK_LIMIT_S:g} s")
                    return
                response.success()
        if answer is not None:
            self.measure("LLM - Task Completion", (time.perf_counter() - began) * 1000, "llm_task_completion")
