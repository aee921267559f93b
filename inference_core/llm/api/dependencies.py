"""The dependencies of the LLM routes, including the access check of `LLM_API_ACCESS_MODE`."""

from __future__ import annotations

import hashlib
from typing import Annotated

from fastapi import Depends, Header, Request

from inference_core.auth.access.authentication import AuthenticatedUser
from inference_core.auth.permissions import keys_with
from inference_core.core.addresses import address_prefix, client_address
from inference_core.core.dependencies import ReadSessionDep, SessionDep
from inference_core.core.exceptions import NotAuthenticatedError, NotPermittedError
from inference_core.core.logging import current_request_id
from inference_core.core.state import state_of
from inference_core.llm.accounting.usage_service import UsageService
from inference_core.llm.api.schemas import AskOptions, ConversationRequest, ExplainRequest
from inference_core.llm.config.schema import TaskName
from inference_core.llm.conversations.service import ConversationService
from inference_core.llm.feature import USE_LLM
from inference_core.llm.principal import Principal
from inference_core.llm.questions import Question
from inference_core.llm.service import LLMService
from inference_core.llm.simulator.faults import FAULT_HEADER
from inference_core.llm.state import LLMState

Caller = Annotated[AuthenticatedUser | None, Depends(keys_with(USE_LLM, allows_anonymous=True))]


async def get_principal(request: Request, user: Caller) -> Principal:
    """Return the caller. An API key counts as its owner.

    Raises:
        NotAuthenticatedError, NotPermittedError: `LLM_API_ACCESS_MODE` does not permit the call.
    """
    access = state_of(request).of(LLMState).service.settings.effective_llm_access
    if user is None:
        if access != "public":
            raise NotAuthenticatedError
        address = client_address(request.scope)
        return Principal(_address_key(address_prefix(address)), caller=_address_key(address))
    if access == "superuser" and not user.acts_as_superuser:
        raise NotPermittedError
    key = f"user:{user.account.id}"
    return Principal(key, caller=key, user_id=user.account.id)


def _address_key(address: str) -> str:
    return f"address:{hashlib.sha256(address.encode()).hexdigest()[:32]}"


async def get_service(request: Request) -> LLMService:
    """Return the LLM endpoints of this process."""
    return state_of(request).of(LLMState).service


async def get_usage_service(session: ReadSessionDep) -> UsageService:
    """Return the reports of usage."""
    return UsageService(session)


async def get_conversations(session: ReadSessionDep) -> ConversationService:
    """Return the conversations for reading."""
    return ConversationService(session)


async def get_conversation_changes(session: SessionDep) -> ConversationService:
    """Return the conversations in a transaction that commits after the route has returned."""
    return ConversationService(session)


PrincipalDep = Annotated[Principal, Depends(get_principal)]
ServiceDep = Annotated[LLMService, Depends(get_service)]
UsageServiceDep = Annotated[UsageService, Depends(get_usage_service)]
ConversationsDep = Annotated[ConversationService, Depends(get_conversations)]
ConversationChangesDep = Annotated[ConversationService, Depends(get_conversation_changes)]
# Outside production, a request can make the simulator fail.
FaultHeader = Annotated[str | None, Header(alias=FAULT_HEADER, include_in_schema=False)]


def question_of(body: ExplainRequest | ConversationRequest, fault: str | None) -> Question:
    """Return the body of a request in the form for the service."""
    if isinstance(body, ConversationRequest):
        return _question("conversation", body.user_input, body, fault, body.session_id)
    return _question("explain", body.question, body, fault, None)


def _question(task: TaskName, text: str, options: AskOptions, fault: str | None, session_id: str | None) -> Question:
    return Question(
        task=task,
        text=text,
        params=options.params(),
        model_name=options.model_name,
        timeout_s=options.request_timeout,
        session_id=session_id,
        fault=fault,
        request_id=current_request_id(),
    )
