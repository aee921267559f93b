"""The caller of the LLM routes."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Principal:
    """The caller of a question.

    Attributes:
        key: Identifies the limits of the caller. Callers without an account share those of their network.
        caller: Identifies the caller, by the address if there is no account.
        user_id: None for a caller without an account.
    """

    key: str
    caller: str
    user_id: UUID | None = None

    def may_see(self, owner: UUID | None) -> bool:
        """Return whether the caller may see a conversation of `owner`. Everybody may see one without an owner."""
        return owner is None or owner == self.user_id
