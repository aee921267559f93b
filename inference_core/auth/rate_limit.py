"""`RateLimit("10/minute")`: a dependency that limits the requests of each user to a route."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Literal

from fastapi import Request

from inference_core.auth.access.authentication import owner_of
from inference_core.auth.access.credentials import credential_of
from inference_core.auth.errors import AmbiguousCredentialsError
from inference_core.auth.state import AuthState
from inference_core.core.addresses import address_prefix, client_address
from inference_core.core.exceptions import NotAuthenticatedError
from inference_core.core.loggers import get_logger
from inference_core.core.paths import route_template
from inference_core.core.permissions import RefusingDependency
from inference_core.core.problems import responses_for
from inference_core.core.rate_limit import Rate, RateLimitedError, RateLimitUnavailableError
from inference_core.core.state import state_of

log = get_logger(__name__)


class RateLimit(RefusingDependency):
    """A dependency that limits the requests of each user, or of each network without a valid credential.

    `@router.post("/notes", dependencies=[Depends(RateLimit("10/minute"))])`
    """

    responses = responses_for(RateLimitedError, RateLimitUnavailableError)

    def __init__(
        self,
        rate: str,
        *,
        scope: str = "",
        key: Callable[[Request], str] | None = None,
        on_outage: Literal["refuse", "allow"] = "refuse",
    ) -> None:
        """Read the rate.

        Args:
            rate: A count and a time, such as `10/minute`, `1000/day` or `5/30s`.
            scope: Routes with the same scope and rate count together. By default, each route counts on its own.
            key: Returns what is counted instead of the user, such as the id of a project in the path.
            on_outage: Whether to refuse requests with 503 while Redis is unavailable, or to allow them.

        Raises:
            RateError: The text is not a rate.
        """
        self._rate = Rate.parse(rate)
        self._scope = scope
        self._key = key
        self._on_outage = on_outage

    async def __call__(self, request: Request) -> None:
        """Count a request.

        Raises:
            RateLimitedError: The limit is reached.
            RateLimitUnavailableError: Redis does not respond in time, unless `on_outage` is `allow`.
            DatabaseUnavailableError: The request has a credential, and the database does not respond.
        """
        name = f"{self._scope or _route_of(request)}:{await self._caller(request)}"
        try:
            await state_of(request).of(AuthState).rates.admit(name, self._rate)
        except RateLimitUnavailableError:
            if self._on_outage == "refuse":
                raise
            log.warning("request_not_counted", scope=self._scope)

    async def _caller(self, request: Request) -> str:
        if self._key is not None:
            # Clients can choose it, so its length is not known.
            return f"key:{hashlib.sha256(self._key(request).encode()).hexdigest()[:32]}"
        try:
            credential = credential_of(request.scope["headers"])
            if credential is not None:
                return f"user:{await owner_of(state_of(request), credential)}"
        except (NotAuthenticatedError, AmbiguousCredentialsError):
            pass  # the route itself decides whether it needs a user
        return f"network:{address_prefix(client_address(request.scope))}"


def _route_of(request: Request) -> str:
    """Return a name of the route that is the same in every process. It contains the prefixes of included routers."""
    route = request.scope["route"]
    return f"{route.endpoint.__module__}:{','.join(sorted(route.methods))} {route_template(request.scope)}"
