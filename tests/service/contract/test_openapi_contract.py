"""The service does what its OpenAPI document says: no 5xx, no undocumented status, no answer against its schema."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from string import ascii_lowercase
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.configuration import set_hypothesis_home_dir

from inference_core.auth.admin.superusers import create_superuser
from tests.support.accounts import new_name
from tests.support.processes import redis_server
from tests.support.servers.databases import create_database
from tests.support.service import ApiProcess, api_process, service_env, worker_process
from tests.support.settings import Settings, application

pytestmark = pytest.mark.full
# Not into the working tree.
set_hypothesis_home_dir(tempfile.gettempdir() + "/hypothesis")

PASSWORD = "ContractPass1!"
EXAMPLES = int(os.environ.get("CONTRACT_EXAMPLES", "10"))


@dataclass(frozen=True, slots=True)
class Served:
    """A running service, and the name of its administrator."""

    api: ApiProcess
    administrator: str

    def bearer(self) -> dict[str, str]:
        """A fresh session for each operation: some of them end sessions."""
        with self.api.client() as client:
            login = {"username": self.administrator, "password": PASSWORD}
            token = client.post("/api/v1/auth/login", json=login).json()["access_token"]
        return {"Authorization": f"Bearer {token}"}


@contextmanager
def served(folder: Path, **env: str) -> Iterator[Served]:
    """A service with a worker, a Redis of its own, and an administrator."""
    with redis_server(folder / "redis") as (redis_url, _):
        environment = service_env(folder, redis_url, LOGIN_FAILURES_ALLOWED="1000", **env)
        own = Settings(
            _env_file=None, database_url=environment["DATABASE_URL"], argon2_memory_kib=8, argon2_time_cost=1
        )
        name = new_name()
        asyncio.run(create_superuser(own, username=name, email=f"{name}@example.com", password=PASSWORD))
        with (
            worker_process(folder, environment),
            api_process(folder, environment, app="inference_core.main:app") as api,
        ):
            yield Served(api, name)


@pytest.fixture(scope="module")
def services(postgresql: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, ...]]:
    """One on SQLite, one on PostgreSQL. To make a case takes longer than to send it, so each is sent to both."""
    on_sqlite, on_postgresql = (tmp_path_factory.mktemp(name) for name in ("sqlite", "postgresql"))
    with (
        served(on_sqlite) as first,
        served(on_postgresql, DATABASE_URL=create_database(postgresql, "contract")) as second,
    ):
        yield first, second


# What is valid by its schema is refused by these all the same, and rightly: with a password or a mailed token that is
# wrong, which no schema can know. Elsewhere it must be accepted, or name what is not there, taken, or not the caller's.
MAY_SAY_400 = (
    "PUT /api/v1/auth/me",
    *(f"POST /api/v1/auth/{name}" for name in ("change-password", "reset-password", "verify-email")),
    # More tokens than the model gives, a last day before the first.
    *(f"POST /api/v1/llm/{name}" for name in ("explain/stream", "conversation/stream")),
    *(f"GET /api/v1/{name}/usage" for name in ("llm", "admin/llm")),
    # Permissions that no feature declares.
    *("POST /api/v1/auth/api-keys", "POST /api/v1/admin/roles", "PUT /api/v1/admin/roles/{name}"),
)
# The same, and an Idempotency-Key that came with another body.
MAY_SAY_422 = tuple(f"POST /api/v1/llm/{name}" for name in ("explain", "conversation"))
ACCEPTED = ["2xx", "401", "403", "404", "409", "429"]


def expecting(*statuses: str) -> dict[str, object]:
    return {"checks": {"positive_data_acceptance": {"expected-statuses": list(statuses)}}}


DOCUMENT = application(Settings(_env_file=None, environment="testing")).openapi()
OPERATIONS = [f"{method.upper()} {path}" for path, methods in DOCUMENT["paths"].items() for method in methods]


@pytest.fixture(scope="module")
def schema() -> Any:
    """The document as Schemathesis reads it."""
    import schemathesis
    from hypothesis import strategies as st
    from schemathesis.config import SchemathesisConfig

    # A domain that is reserved, such as example.test, is an email by its format, but no mail could be sent to it.
    names = st.text(ascii_lowercase, min_size=1, max_size=20)  # a regular expression takes three times as long
    domains = st.builds("{}.{}".format, names, st.sampled_from(["com", "org"]))
    schemathesis.openapi.format("email", st.emails(domains=domains))
    operations = [
        *({"include-name": name, **expecting("400", *ACCEPTED)} for name in MAY_SAY_400),
        *({"include-name": name, **expecting("400", "422", *ACCEPTED)} for name in MAY_SAY_422),
    ]
    # Each request has a bearer token. Another credential beside it is refused.
    generation = {"with-security-parameters": False}
    config = SchemathesisConfig.from_dict(
        expecting(*ACCEPTED) | {"generation": generation, "operations": operations},
    )
    return schemathesis.openapi.from_dict(DOCUMENT, config=config)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_operation_keeps_the_contract(operation: str, schema: Any, services: tuple[Served, ...]) -> None:
    # Not `schema.parametrize()`: it makes the cases of all operations while pytest collects, in every test process.
    from schemathesis.generation.feedback import FeedbackSources
    from schemathesis.pytest._test_builder import build_operation_test
    from schemathesis.python._constants.orchestrator import make_constants_value_source

    sessions = [(service.api.url, service.bearer()) for service in services]

    @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    def keeps_the_contract(case: Any) -> None:
        for url, bearer in sessions:
            case.call_and_validate(base_url=url, headers=bearer)

    (found,) = [made for each in schema.get_all_operations() if (made := each.ok()).label == operation]
    feedback = FeedbackSources(constants_value_source=make_constants_value_source(schema))
    test = build_operation_test(
        config=schema.config, operation=found, test_func=keeps_the_contract, given_kwargs={}, feedback=feedback
    )
    test()
