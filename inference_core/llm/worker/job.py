"""The JSON message from the API to a worker."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from inference_core.llm.config.schema import TaskName
from inference_core.llm.conversations.records import ConversationRef
from inference_core.llm.types import SamplingParams

TASK_NAMES: dict[TaskName, str] = {"explain": "llm.explain", "conversation": "llm.conversation"}


@dataclass(frozen=True, slots=True)
class Job:
    """A question that a worker answers.

    Attributes:
        key: Identifies the user whose limits apply.
        request_id: The id of the submitting request, for the logs.
    """

    task: TaskName
    question: str
    params: SamplingParams
    model_name: str | None
    session: ConversationRef | None
    user_id: UUID | None
    key: str
    timeout_s: float | None
    fault: str | None
    request_id: str

    def as_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "task": self.task,
            "question": self.question,
            "params": asdict(self.params),
            "model_name": self.model_name,
            "session_id": str(self.session.id) if self.session else None,
            "session_is_new": bool(self.session and self.session.is_new),
            "user_id": str(self.user_id) if self.user_id else None,
            "key": self.key,
            "timeout_s": self.timeout_s,
            "fault": self.fault,
            "request_id": self.request_id,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Job:
        """Return the job of a JSON form."""
        session_id, user_id = data["session_id"], data["user_id"]
        return cls(
            task=data["task"],
            question=data["question"],
            params=SamplingParams(**data["params"]),
            model_name=data["model_name"],
            session=ConversationRef(UUID(session_id), data["session_is_new"]) if session_id else None,
            user_id=UUID(user_id) if user_id else None,
            key=data["key"],
            timeout_s=data["timeout_s"],
            fault=data["fault"],
            request_id=data["request_id"],
        )


class Private:
    """The result of a task without a `repr`, because Celery logs the `repr` of results."""

    def __init__(self, value: dict[str, Any]) -> None:
        self._value = value

    def __json__(self) -> dict[str, Any]:
        """Return the stored form for kombu's encoder."""
        return self._value

    def __repr__(self) -> str:
        return "{...}"
