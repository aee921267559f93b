"""A redelivered task returns its stored answer, calls no provider, and is charged once."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from inference_core.core.redis.client import RedisClient
from inference_core.llm.accounting.limits import UserLimits
from inference_core.llm.config.schema import Limits
from inference_core.llm.conversations.records import ConversationRef
from inference_core.llm.types import SamplingParams
from inference_core.llm.worker.answering import answer
from inference_core.llm.worker.job import Job, Private
from tests.support.accounts import Api
from tests.support.servers.databases import on_every_database

pytestmark = pytest.mark.anyio


def job_of(somebody: str, **changes: object) -> Job:
    values: dict[str, object] = {
        "task": "conversation",
        "question": "Hello?",
        "params": SamplingParams(max_tokens=20, temperature=0.5),
        "model_name": None,
        "session": ConversationRef(uuid4(), is_new=True),
        "user_id": UUID(somebody),
        "key": f"user:{somebody}",
        "timeout_s": 30.0,
        "fault": None,
        "request_id": "abc",
    }
    return Job(**(values | changes))  # type: ignore[arg-type]


@on_every_database
async def test_task_delivered_twice_answers_once(api: Api) -> None:
    user = await api.register()
    tokens = await api.login(user)
    job, task_id = job_of(user.id), str(uuid4())
    await api.llm.service.limits.admit(job.key, task_id, tokens=1, lease_s=600, may_cost=False)
    first = await answer(api.settings, job, task_id)
    # Were the model asked again, this fault would show.
    again = await answer(api.settings, job_of(user.id, session=job.session, fault="server_error"), task_id)
    assert (again.text, again.model, again.usage) == (first.text, first.model, first.usage)
    assert (await api.get("/llm/usage", tokens)).json()["totals"]["requests"] == 1
    assert job.session is not None
    conversation = (await api.get(f"/llm/sessions/{job.session.id}", tokens)).json()
    assert [turn["content"] for turn in conversation["turns"]] == ["Hello?", first.text]
    stats = (await api.get("/llm/stats", tokens)).json()["stats"]
    assert stats["requests_count"] == 1


async def test_task_delivered_again_gives_back_the_lease_that_its_dead_worker_held(api: Api) -> None:
    user = await api.register()
    job, task_id = job_of(user.id), str(uuid4())
    await answer(api.settings, job, task_id)
    async with RedisClient.open(api.settings) as redis:
        limits = UserLimits(redis.client, Limits(requests_per_minute=0, concurrent_requests=1, tokens_per_day=0))
        await limits.admit(job.key, task_id, tokens=1, lease_s=600, may_cost=False)
        await answer(api.settings, job, task_id)
        await limits.admit(job.key, "another", tokens=1, lease_s=600, may_cost=False)


def test_job_survives_its_journey() -> None:
    for job in (job_of(str(uuid4())), job_of(str(uuid4()), task="explain", session=None, user_id=None)):
        assert Job.from_json(job.as_json()) == job


def test_result_is_stored_whole_and_shown_not_at_all() -> None:
    from celery.utils.saferepr import saferepr
    from kombu.utils.json import dumps, loads

    private = Private({"result": {"answer": "secret"}})
    assert loads(dumps(private)) == {"result": {"answer": "secret"}}
    assert "secret" not in repr(private) + saferepr(private, 1024)
