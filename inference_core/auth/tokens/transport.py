"""Send refresh tokens in the body or, for browsers, in a cookie that scripts cannot read.

A client selects the cookie with `X-Token-Transport: cookie`. Other sites can send this header only if CORS allows it,
and the cookie is `SameSite=Strict`. Together, they prevent cross-site request forgery.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import Depends, Header, Request, Response
from pydantic import WithJsonSchema

from inference_core.auth.accounts.login_service import IssuedTokens
from inference_core.auth.schemas import RefreshRequest, Tokens
from inference_core.auth.settings import AuthSettings
from inference_core.core.paths import AUTH_PREFIX
from inference_core.core.state import SettingsDep

COOKIE = "refresh_token"
DAY_S = 24 * 3600

TransportHeader = Annotated[
    Literal["cookie"] | None,
    # A header cannot be null.
    WithJsonSchema({"type": "string", "const": "cookie"}),
    Header(alias="X-Token-Transport", description="`cookie` keeps the refresh token in an HttpOnly cookie."),
]


@dataclass(frozen=True, slots=True)
class Delivery:
    """A transport of tokens in the way that the client requested."""

    response: Response
    in_cookie: bool
    lifetime_s: int

    def __call__(self, issued: IssuedTokens) -> Tokens:
        """Return the body of the response. It contains the refresh token only if the cookie does not."""
        if self.in_cookie:
            self.response.set_cookie(
                COOKIE,
                issued.refresh_token,
                max_age=self.lifetime_s,
                path=AUTH_PREFIX,
                secure=True,
                httponly=True,
                samesite="strict",
            )
        return Tokens(
            access_token=issued.access_token,
            refresh_token=None if self.in_cookie else issued.refresh_token,
            expires_in=issued.expires_in_s,
        )

    def forget(self) -> None:
        """Delete the cookie."""
        if self.in_cookie:
            self.response.delete_cookie(COOKIE, path=AUTH_PREFIX, secure=True, httponly=True, samesite="strict")


async def get_delivery(response: Response, settings: SettingsDep, transport: TransportHeader = None) -> Delivery:
    """Return the transport that the client requested."""
    return Delivery(response, transport == "cookie", settings.of(AuthSettings).refresh_token_idle_days * DAY_S)


TokenDelivery = Annotated[Delivery, Depends(get_delivery)]


async def get_given_refresh_token(request: Request, delivery: TokenDelivery, body: RefreshRequest | None = None) -> str:
    """Return the token from the body or, if the client uses the cookie, from the cookie. Empty if there is none."""
    if body is not None:
        return body.refresh_token
    return request.cookies.get(COOKIE, "") if delivery.in_cookie else ""


GivenRefreshToken = Annotated[str, Depends(get_given_refresh_token)]
