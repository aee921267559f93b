"""`/api/v1/llm`: tasks for the workers, models, counts, health and policies. `stream_router` contains the streams."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query

from inference_core.core.exceptions import NotAuthenticatedError, NotPermittedError
from inference_core.core.paths import LLM_PREFIX
from inference_core.core.problems import responses_for
from inference_core.core.queue.sender import BrokerUnavailableError
from inference_core.llm.accounting.limits import StatisticsUnavailableError
from inference_core.llm.api.dependencies import FaultHeader, PrincipalDep, ServiceDep, get_principal, question_of
from inference_core.llm.api.schemas import (
    ConversationRequest,
    ExplainRequest,
    LLMHealth,
    ModelList,
    ParameterRule,
    ParamPolicy,
    Stats,
    StatsAnswer,
    TaskSubmitted,
)
from inference_core.llm.api.stream_router import ASK_ERRORS
from inference_core.llm.errors import UnknownModelError, UnknownProviderError
from inference_core.llm.principal import Principal
from inference_core.llm.questions import Question
from inference_core.llm.service import LLMService
from inference_core.tasks.idempotency import IdempotencyKey, KeyReusedError, SubmissionInProgressError
from inference_core.tasks.store import ResultStoreUnavailableError

router = APIRouter(prefix=LLM_PREFIX, tags=["llm"], responses=responses_for(NotAuthenticatedError, NotPermittedError))
SUBMISSION = responses_for(
    *ASK_ERRORS, BrokerUnavailableError, ResultStoreUnavailableError, SubmissionInProgressError, KeyReusedError
)
PolicyName = Annotated[str, Path(max_length=100, description="A provider of the configuration.", examples=["openai"])]
PolicyModel = Annotated[
    str | None, Query(max_length=100, description="A model of the provider.", examples=["gpt-5-mini"])
]


@router.post("/explain", responses=SUBMISSION)
async def explain(
    body: ExplainRequest,
    principal: PrincipalDep,
    service: ServiceDep,
    key: IdempotencyKey = None,
    fault: FaultHeader = None,
) -> TaskSubmitted:
    """Submit a question as a task. The answer is at `/tasks/{task_id}/result`."""
    return await _submit(service, principal, question_of(body, fault), key)


@router.post("/conversation", responses=SUBMISSION)
async def conversation(
    body: ConversationRequest,
    principal: PrincipalDep,
    service: ServiceDep,
    key: IdempotencyKey = None,
    fault: FaultHeader = None,
) -> TaskSubmitted:
    """Submit the next turn of a conversation as a task. The reply is at `/tasks/{task_id}/result`."""
    return await _submit(service, principal, question_of(body, fault), key)


async def _submit(service: LLMService, principal: Principal, question: Question, key: str | None) -> TaskSubmitted:
    submitted = await service.submit(await service.prepare(principal, question), key)
    message = f"The task was submitted. Its result will be at /tasks/{submitted.task_id}/result."
    return TaskSubmitted(task_id=submitted.task_id, message=message, estimated_time=submitted.estimated_s)


@router.get("/models", dependencies=[Depends(get_principal)])
async def models(service: ServiceDep) -> ModelList:
    """List the configured models, and whether each is available."""
    return ModelList(models=service.models())


@router.get("/stats", dependencies=[Depends(get_principal)], responses=responses_for(StatisticsUnavailableError))
async def stats(service: ServiceDep) -> StatsAnswer:
    """Return the request counts of all API processes and workers."""
    counts = await service.statistics()
    return StatsAnswer(
        stats=Stats(
            requests_count=counts.requests_count,
            total_tokens=counts.total_tokens,
            errors_count=counts.errors_count,
            last_request=counts.last_request,
        )
    )


@router.get("/health", dependencies=[Depends(get_principal)])
async def llm_health(service: ServiceDep) -> LLMHealth:
    """Return whether the LLM routes work, and whether a call could cost money."""
    health = service.health()
    return LLMHealth(
        status=health.status,
        available_models=sum(health.models.values()),
        total_models=len(health.models),
        models=dict(health.models),
        provider_mode=health.provider_mode,
        live_calls_possible=health.live_calls_possible,
    )


@router.get(
    "/param-policy/{provider}",
    dependencies=[Depends(get_principal)],
    responses=responses_for(UnknownProviderError, UnknownModelError),
)
async def param_policy(provider: PolicyName, service: ServiceDep, model: PolicyModel = None) -> ParamPolicy:
    """Return how each parameter is handled for a provider. Only with `DEBUG`, else 404."""
    rules = service.parameter_rules(provider, model)
    parameters = {name: ParameterRule(action=rule.action, name=rule.name) for name, rule in rules.items()}
    return ParamPolicy(provider=provider, model=model, parameters=parameters)
