"""Security events in the log: who, from where, what; never a password, a token or a mail's content."""

from __future__ import annotations

from uuid import UUID

from inference_core.auth.sessions import Client
from inference_core.loggers import get_logger

log = get_logger("inference_core.audit")


def audit(
    event: str, client: Client, user_id: UUID | None = None, session_id: str | None = None, by: UUID | None = None
) -> None:
    """Log one event on the account `user_id`, done `by` a superuser or else by itself.

    Time and request id are added by the logger.
    """
    known = {"user_id": str(user_id)} if user_id else {}
    known |= {"session_id": session_id} if session_id else {}
    known |= {"by": str(by)} if by else {}
    log.info(event, audit=True, ip=client.address, **known)
