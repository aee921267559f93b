"""Users of the LLM routes: one reads streamed answers, and one submits questions as tasks.

They run only if the target reports that it cannot call live models, which cost money.
"""

import random
import time
from typing import Any

import gevent
from locust import task
from locust.exception import StopUser

from loadgate.checks import HttpCheck
from loadgate.sse import event_stream
from loadgate.units import duration
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
    """Base class of both users. It creates unique questions and requires a target that cannot call live models."""

    abstract = True
    preflight = (NO_LIVE_CALLS,)

    def question(self) -> str:
        """Return a question that was not asked before, so that each answer is different."""
        return f"{self.account.username} asks ({random.getrandbits(32):x}): how do {random.choice(TOPICS)} work?"


class LLMStreamUser(LLMUser):
    """Reads streamed answers to single questions and to conversations of a few turns."""

    weight = 4
    group = "llm_streams"

    session_id: str | None = None
    turns = 0

    @task
    def explain(self) -> None:
        """Ask one question."""
        self.read("/llm/explain/stream", {"question": self.question()}, "LLM - Explain Stream")

    @task
    def converse(self) -> None:
        """Take the next turn of a conversation. Start a new conversation after `TURNS` turns."""
        request = {"user_input": self.question()} | ({"session_id": self.session_id} if self.session_id else {})
        answer = self.read("/llm/conversation/stream", request, "LLM - Conversation Stream")
        self.turns += 1
        is_over = answer is None or self.turns >= TURNS
        self.session_id = None if is_over or answer is None else (answer.start or {}).get("session_id")
        self.turns = 0 if is_over else self.turns

    def read(self, path: str, request: dict[str, Any], name: str) -> StreamedAnswer | None:
        """Read an answer to its end and return it, or None if it is not valid.

        Raises:
            StopUser: A live model answered, which can cost money.
        """
        answer = StreamedAnswer()
        with event_stream(self.client, f"{API}{path}", name=name, json=request, headers=self.bearer()) as stream:
            for event in stream:
                answer.add(event.data, event.at_ms)
            if stream.status_code == 401:
                self.store_tokens(None)
            if stream.status_code != 200:
                return None
            problem = answer.problem()
            if problem is None and "conversation" in path and not self.is_same_conversation(request, answer):
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
    def is_same_conversation(request: dict[str, Any], answer: StreamedAnswer) -> bool:
        """Return whether the answer names a conversation, and the request names the same one or none."""
        session_id = (answer.start or {}).get("session_id")
        return bool(session_id) and request.get("session_id", session_id) == session_id

    def measure_answer(self, answer: StreamedAnswer) -> None:
        """Record the measures of a valid answer, each with its own time."""
        e2e_ms = answer.e2e_ms or 0.0
        sent_s = time.time() - e2e_ms / 1000
        first_s, end_s = sent_s + answer.ttft_ms / 1000, sent_s + e2e_ms / 1000
        self.measure("LLM - TTFT", answer.ttft_ms, "llm_ttft", at_s=first_s)
        self.measure("LLM - E2E", e2e_ms, "llm_e2e", at_s=end_s)
        if answer.tpot_ms is not None:
            self.measure("LLM - TPOT", answer.tpot_ms, "llm_tpot", at_s=end_s)
        if answer.ttft_overhead_ms is not None:
            self.measure("LLM - TTFT Overhead", answer.ttft_overhead_ms, "llm_ttft_overhead", at_s=first_s)
        arrived_s = [sent_s + time_ms / 1000 for time_ms in answer.token_times_ms[1:]]
        for gap_ms, at_s in zip(answer.gaps_ms, arrived_s, strict=True):
            self.measure("LLM - ITL", gap_ms, "llm_itl", at_s=at_s)
        for overhead_ms, at_s in zip(answer.gap_overheads_ms, arrived_s, strict=False):
            self.measure("LLM - ITL Overhead", overhead_ms, "llm_itl_overhead", at_s=at_s)
        if answer.is_good:
            self.measure("LLM - Goodput", e2e_ms, "llm_goodput", at_s=end_s)


class LLMTaskUser(LLMUser):
    """Submits questions as tasks and polls for the answers."""

    weight = 1
    group = "llm_tasks"
    preflight = (NO_LIVE_CALLS, "worker")

    @task(2)
    def explain(self) -> None:
        """Submit one question."""
        self.submit_and_poll("/llm/explain", {"question": self.question()}, "LLM - Submit Explain", "answer")

    @task(1)
    def converse(self) -> None:
        """Submit the first turn of a conversation."""
        self.submit_and_poll("/llm/conversation", {"user_input": self.question()}, "LLM - Submit Conversation", "reply")

    def submit_and_poll(self, path: str, request: dict[str, Any], name: str, key: str) -> None:
        """Submit a question, then poll until the result is available.

        Raises:
            StopUser: A live model answered, which can cost money.
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
                    response.failure(f"no result after {duration(TASK_LIMIT_S)}")
                    return
                response.success()
        if answer is not None:
            self.measure("LLM - Task Completion", (time.perf_counter() - began) * 1000, "llm_task_completion")
