"""The messages for a model: the instructions, the latest turns that fit, and the question."""

from __future__ import annotations

from collections.abc import Sequence

from inference_core.llm.config.schema import TaskName
from inference_core.llm.types import Message

INSTRUCTIONS: dict[TaskName, str] = {
    "explain": "Explain what the user asks about, clearly and no longer than needed.",
    "conversation": "You are a helpful assistant in a conversation. Answer the user's last turn.",
}


def build_messages(
    task: TaskName, history: Sequence[Message], question: str, history_characters: int
) -> tuple[Message, ...]:
    """Return the messages of a request, oldest first."""
    kept = within(history, history_characters)
    return (Message("system", INSTRUCTIONS[task]), *kept, Message("user", question))


def within(history: Sequence[Message], characters: int) -> list[Message]:
    """Return the latest complete turns that fit into this number of characters, starting with a turn of the user."""
    kept: list[Message] = []
    for message in reversed(history):
        characters -= len(message.content)
        if characters < 0:
            break
        kept.append(message)
    kept.reverse()
    while kept and kept[0].role != "user":
        kept.pop(0)
    return kept
