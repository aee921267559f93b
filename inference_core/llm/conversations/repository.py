"""The queries on conversations and their turns. Callers control the transactions."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from inference_core.core.db.base import utc_now
from inference_core.core.db.rows import changed_rows
from inference_core.llm.conversations.records import NewTurn, StoredConversation, StoredTurn
from inference_core.llm.models import ChatSession, ChatTurn
from inference_core.llm.types import Message

SESSION_COLUMNS = (
    ChatSession.id,
    ChatSession.user_id,
    ChatSession.title,
    ChatSession.turn_count,
    ChatSession.created_at,
    ChatSession.updated_at,
)
TURN_COLUMNS = (ChatTurn.role, ChatTurn.content, ChatTurn.complete, ChatTurn.model, ChatTurn.created_at)


class ConversationRepository:
    """The conversations and their turns, in one database session."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def find(self, session_id: UUID) -> StoredConversation | None:
        """Return the conversation with this id, of any user."""
        found = await self._session.execute(select(*SESSION_COLUMNS).where(ChatSession.id == session_id))
        row = found.one_or_none()
        return StoredConversation(*row) if row else None

    async def recent(self, session_id: UUID, limit: int) -> list[Message]:
        """Return the last `limit` turns, oldest first."""
        statement = (
            select(ChatTurn.role, ChatTurn.content)
            .where(ChatTurn.session_id == session_id)
            .order_by(ChatTurn.position.desc())
            .limit(limit)
        )
        rows = (await self._session.execute(statement)).all()
        return [Message(role, content) for role, content in reversed(rows)]

    async def turns(self, session_id: UUID, offset: int, limit: int) -> list[StoredTurn]:
        """Return turns in the order of their creation."""
        statement = (
            select(*TURN_COLUMNS)
            .where(ChatTurn.session_id == session_id)
            .order_by(ChatTurn.position)
            .offset(offset)
            .limit(limit)
        )
        return [StoredTurn(*row) for row in await self._session.execute(statement)]

    async def of_user(self, user_id: UUID, offset: int, limit: int) -> tuple[list[StoredConversation], int]:
        """Return a user's conversations, the most recently used first, and their number."""
        owned = ChatSession.user_id == user_id
        statement = select(*SESSION_COLUMNS).where(owned).order_by(ChatSession.updated_at.desc(), ChatSession.id)
        rows = await self._session.execute(statement.offset(offset).limit(limit))
        total = await self._session.execute(select(func.count()).select_from(ChatSession).where(owned))
        return [StoredConversation(*row) for row in rows], total.scalar_one()

    async def delete(self, session_id: UUID) -> None:
        """Delete a conversation and its turns."""
        await self._session.execute(delete(ChatTurn).where(ChatTurn.session_id == session_id))
        await self._session.execute(delete(ChatSession).where(ChatSession.id == session_id))

    async def create(self, session_id: UUID, user_id: UUID | None, title: str) -> None:
        """Create a conversation."""
        await self._session.execute(
            insert(ChatSession).values(id=session_id, user_id=user_id, title=title, turn_count=0)
        )

    async def append(self, session_id: UUID, turns: tuple[NewTurn, ...]) -> bool:
        """Append turns. Return False if the conversation was deleted meanwhile.

        The update locks the row first, so that concurrent writers get different positions.
        """
        statement = update(ChatSession).where(ChatSession.id == session_id)
        changed = statement.values(turn_count=ChatSession.turn_count + len(turns), updated_at=utc_now())
        if await changed_rows(self._session, changed) != 1:
            return False
        found = await self._session.execute(select(ChatSession.turn_count).where(ChatSession.id == session_id))
        first = found.scalar_one() - len(turns)
        rows = [
            {
                "session_id": session_id,
                "position": first + number,
                "role": turn.role,
                "content": turn.content,
                "complete": turn.complete,
                "model": turn.model,
                "created_at": utc_now(),
            }
            for number, turn in enumerate(turns)
        ]
        await self._session.execute(insert(ChatTurn), rows)
        return True
