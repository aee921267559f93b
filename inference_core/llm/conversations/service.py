"""The conversations of a caller."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from inference_core.core.exceptions import NotFoundError
from inference_core.llm.conversations.records import StoredConversation, StoredTurn
from inference_core.llm.conversations.repository import ConversationRepository
from inference_core.llm.principal import Principal
from inference_core.llm.types import Message


class ConversationNotFoundError(NotFoundError):
    """Raised if the conversation does not exist or belongs to another user."""

    code = "session_not_found"
    detail = "There is no such conversation."


@dataclass(frozen=True, slots=True)
class ConversationService:
    """The stored conversations, read and deleted with one database session."""

    session: AsyncSession

    @property
    def _conversations(self) -> ConversationRepository:
        return ConversationRepository(self.session)

    async def find(self, principal: Principal, session_id: str) -> StoredConversation:
        """Return a conversation that the caller may see.

        Raises:
            ConversationNotFoundError: There is none with this id.
        """
        try:
            row = await self._conversations.find(UUID(session_id))
        except ValueError:
            row = None
        if row is None or not principal.may_see(row.user_id):
            raise ConversationNotFoundError
        return row

    async def of_user(self, user_id: UUID, offset: int, limit: int) -> tuple[list[StoredConversation], int]:
        """Return a page of a user's conversations, the most recently used first, and the number of all."""
        return await self._conversations.of_user(user_id, offset, limit)

    async def turns(self, conversation: StoredConversation, offset: int, limit: int) -> list[StoredTurn]:
        """Return a page of the turns, oldest first."""
        return await self._conversations.turns(conversation.id, offset, limit)

    async def recent(self, conversation: StoredConversation, limit: int) -> list[Message]:
        """Return the last `limit` turns, oldest first."""
        return await self._conversations.recent(conversation.id, limit)

    async def delete(self, principal: Principal, session_id: str) -> UUID:
        """Delete a conversation and its turns, and return its id.

        Raises:
            ConversationNotFoundError: There is no such conversation that the caller may see.
        """
        conversation = await self.find(principal, session_id)
        await self._conversations.delete(conversation.id)
        return conversation.id
