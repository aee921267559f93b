"""Mail that requests cause. It is counted by address and network, and committed mail is not lost."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from inference_core.auth.limits.throttle import MailKind, Throttle
from inference_core.auth.mail import names
from inference_core.auth.repository import MailDueRepository
from inference_core.core.db.after_commit import after_commit
from inference_core.core.db.base import utc_now
from inference_core.core.exceptions import ThrottledError
from inference_core.core.loggers import get_logger
from inference_core.core.queue.sender import BrokerUnavailableError, TaskSender

log = get_logger(__name__)

# The task of a committed mail is sent again if it has not run by then.
SENT_AGAIN_AFTER = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Mailing:
    """A sender of mail tasks for a caller in the network `prefix`. At most `waiting_max` tasks wait in the queue."""

    throttle: Throttle
    tasks: TaskSender
    prefix: str
    waiting_max: int

    async def may(self, kind: MailKind, address: str) -> bool:
        """Count a mail. Return False if the limit of the address for this kind is reached.

        Raises:
            ThrottledError: The caller's network has requested too many mails.
        """
        return await self.throttle.admit_mail(kind, address, self.prefix) == 0

    async def require(self, kind: MailKind, address: str) -> None:
        """Count a mail that a superuser causes.

        Raises:
            ThrottledError: The limit of the address for this kind is reached, or the caller's network has requested too
                many mails.
        """
        if wait_s := await self.throttle.admit_mail(kind, address, self.prefix):
            raise ThrottledError(wait_s, f"This email has been sent too many mails. Try again in {wait_s} s.")

    async def ask(self, name: str, kind: MailKind, address: str) -> None:
        """Send a mail task that a caller requests, unless the limit of the address for this kind is reached.

        Raises:
            ThrottledError: The caller's network has requested too many mails.
            BrokerUnavailableError: The task queue is not available. This does not depend on whether the address is
                known.
        """
        if await self.may(kind, address):
            await self.tasks.send(name, address, waiting_max=self.waiting_max)

    async def send_after_commit(self, session: AsyncSession, name: str, *args: str) -> None:
        """Commit a mail task together with the changes of `session`, and send it then.

        A committed task is sent eventually, even if this process or the broker fails.
        """
        mail_id = await MailDueRepository(session).add(name, args, utc_now() + SENT_AGAIN_AFTER)

        async def send() -> None:
            try:
                await self.tasks.send(name, *args, task_id=str(mail_id), due=True)
            except BrokerUnavailableError:
                log.warning("mail_delayed", task=name, task_id=str(mail_id))

        after_commit(session, send)

    async def warn(self, login: str) -> None:
        """Warn the owner of an account about failed logins, at most once in `LOGIN_FAILURES_WINDOW_S`.

        An identifier without an account causes the same task, because the worker looks up the account.
        """
        if await self.throttle.first_warning(login):
            try:
                await self.tasks.send(names.FAILED_LOGINS, login, waiting_max=self.waiting_max)
            except BrokerUnavailableError:
                log.warning("warning_not_sent")
