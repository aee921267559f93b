"""Security events in the log: the account, the address and the event. They never contain passwords, tokens or mails."""

from __future__ import annotations

from uuid import UUID

from inference_core.auth.tokens.sessions import Client
from inference_core.core.loggers import get_logger

log = get_logger("inference_core.audit")


def audit(
    event: str,
    client: Client | None,
    user_id: UUID | None = None,
    session_id: str | None = None,
    *,
    by: UUID | None = None,
    invitation_id: UUID | None = None,
    **details: str | list[str],
) -> None:
    """Log an event of the account `user_id`. `by` is the superuser who caused it, and `client` the caller, if any.

    `details` are further fields of the line. The logger adds the time and the request id.
    """
    known = {"user_id": str(user_id)} if user_id else {}
    known |= {"session_id": session_id} if session_id else {}
    known |= {"by": str(by)} if by else {}
    known |= {"invitation_id": str(invitation_id)} if invitation_id else {}
    known |= {"ip": client.address} if client else {}
    log.info(event, audit=True, **known, **details)
