"""The mail that a request causes: counted by address and by the caller's network, and not lost once it is committed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from inference_core.auth.repository import MailDueRepository
from inference_core.auth.throttle import MailKind, Throttle
from inference_core.celery.sender import BrokerUnavailableError, TaskSender
from inference_core.db.after_commit import after_commit
from inference_core.db.base import utc_now
from inference_core.loggers import get_logger
from inference_core.mail import names

log = get_logger(__name__)

# A committed mail whose task has not run by then is sent again.
SENT_AGAIN_AFTER = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Mailing:
    """Sends mail tasks for a caller in the network `prefix`; at most `waiting_max` wait in the queue."""

    throttle: Throttle
    tasks: TaskSender
    prefix: str
    waiting_max: int

    async def may(self, kind: MailKind, address: str) -> bool:
        """Count a mail; False if the address has had enough of this kind.

        Raises:
            ThrottledError: if the caller's network has asked for too many mails.
        """
        return await self.throttle.admit_mail(kind, address, self.prefix)

    async def ask(self, name: str, kind: MailKind, address: str) -> None:
        """Send a mail task that a caller asks for, unless the address has had enough of this kind.

        Raises:
            ThrottledError: if the caller's network has asked for too many mails.
            BrokerUnavailableError: if the task queue takes no messages; the same for known and unknown addresses.
        """
        if await self.may(kind, address):
            await self.tasks.send(name, address, waiting_max=self.waiting_max)

    async def send_after_commit(self, session: AsyncSession, name: str, *args: str) -> None:
        """Commit a mail task together with what `session` changes, and send it then.

        What is committed is sent in the end, whether or not this process and the broker live on.
        """
        mail_id = await MailDueRepository(session).add(name, args, utc_now() + SENT_AGAIN_AFTER)

        async def send() -> None:
            try:
                await self.tasks.send(name, *args, task_id=str(mail_id), due=True)
            except BrokerUnavailableError:
                log.warning("mail_delayed", task=name, task_id=str(mail_id))

        after_commit(session, send)

    async def warn(self, login: str) -> None:
        """Tell the owner of an account that somebody guesses its password; once in `LOGIN_FAILURES_WINDOW_S`.

        The same is done for an identifier without an account: the worker looks it up.
        """
        if await self.throttle.first_warning(login):
            try:
                await self.tasks.send(names.FAILED_LOGINS, login, waiting_max=self.waiting_max)
            except BrokerUnavailableError:
                log.warning("warning_not_sent")
