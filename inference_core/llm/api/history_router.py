"""`/api/v1/llm/sessions`: a user's conversations."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query

from inference_core.auth.dependencies import CurrentUser
from inference_core.core.db.engine import DatabaseUnavailableError
from inference_core.core.exceptions import NotAuthenticatedError, NotPermittedError
from inference_core.core.paths import LLM_PREFIX
from inference_core.core.problems import responses_for
from inference_core.llm.api.dependencies import ConversationChangesDep, ConversationsDep, PrincipalDep
from inference_core.llm.api.schemas import Conversation, ConversationDeleted, ConversationPage, ConversationTurns, Turn
from inference_core.llm.conversations.records import StoredConversation
from inference_core.llm.conversations.service import ConversationNotFoundError

router = APIRouter(
    prefix=f"{LLM_PREFIX}/sessions",
    tags=["llm"],
    responses=responses_for(NotAuthenticatedError, NotPermittedError, DatabaseUnavailableError),
)
SessionId = Annotated[str, Path(max_length=64, description="The id in the `start` event or in the result of a task.")]
Offset = Annotated[int, Query(ge=0, le=10_000_000)]


@router.get("")
async def list_conversations(
    conversations: ConversationsDep,
    _: PrincipalDep,
    user: CurrentUser,
    offset: Offset = 0,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> ConversationPage:
    """List the caller's conversations, the most recently used first."""
    rows, total = await conversations.of_user(user.account.id, offset, limit)
    items = [Conversation(**_summary(row)) for row in rows]
    return ConversationPage(items=items, total=total, offset=offset, limit=limit)


@router.get("/{session_id}", responses=responses_for(ConversationNotFoundError))
async def read_conversation(
    session_id: SessionId,
    conversations: ConversationsDep,
    principal: PrincipalDep,
    offset: Offset = 0,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
) -> ConversationTurns:
    """Return a conversation and a page of its turns, oldest first."""
    row = await conversations.find(principal, session_id)
    turns = [
        Turn(
            role=turn.role,
            content=turn.content,
            complete=turn.complete,
            model_name=turn.model,
            created_at=turn.created_at,
        )
        for turn in await conversations.turns(row, offset, limit)
    ]
    return ConversationTurns(**_summary(row), turns=turns, offset=offset, limit=limit)


@router.delete("/{session_id}", responses=responses_for(ConversationNotFoundError))
async def delete_conversation(
    session_id: SessionId, conversations: ConversationChangesDep, principal: PrincipalDep
) -> ConversationDeleted:
    """Delete a conversation and all of its turns. The usage of its answers still counts."""
    return ConversationDeleted(session_id=await conversations.delete(principal, session_id))


def _summary(conversation: StoredConversation) -> dict[str, Any]:
    return {
        "session_id": conversation.id,
        "title": conversation.title,
        "turn_count": conversation.turn_count,
        "created_at": conversation.created_at,
        "updated_at": conversation.updated_at,
    }
