"""Password hashing (argon2id) in separate threads, so that it does not block the event loop."""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter
from typing import TypeVar

from pwdlib import PasswordHash
from pwdlib.exceptions import UnknownHashError
from pwdlib.hashers.argon2 import Argon2Hasher
from pwdlib.hashers.bcrypt import BcryptHasher

from inference_core.auth.settings import AuthSettings

BCRYPT_BYTES = 72
HASHING_NICENESS = 5
ARGON2 = "$argon2"
# A machine that was busy once must not slow down failed logins permanently.
LONGEST_FAILED_LOGIN_S = 2.0

T = TypeVar("T")


class LegacyBcrypt(BcryptHasher):
    """A verifier of bcrypt hashes of older services, which covered the first 72 bytes.

    The library no longer cuts passwords.
    """

    def verify(self, password: str | bytes, hash: str | bytes) -> bool:  # noqa: A002  # the base class's name
        """Return whether the first 72 bytes of the password match."""
        raw = password.encode() if isinstance(password, str) else password
        return super().verify(raw[:BCRYPT_BYTES], hash)


class Passwords:
    """A hasher and verifier. At most one hash per core runs at a time; the others wait in order.

    `on_wait` is called with the seconds that each hash waited for a thread.
    """

    def __init__(self, settings: AuthSettings, on_wait: Callable[[float], None] = lambda _: None) -> None:
        self._on_wait = on_wait
        argon2 = Argon2Hasher(
            time_cost=settings.argon2_time_cost, memory_cost=settings.argon2_memory_kib, parallelism=1
        )
        self._hasher = PasswordHash((argon2, LegacyBcrypt()))
        # Used for comparison if there is no account, so that the response takes as long.
        self._nobody = self._hasher.hash(secrets.token_hex(16))
        self._failed_login_s = settings.failed_login_min_s
        self._threads = ThreadPoolExecutor(usable_cores(), "password", initializer=_yield_to_the_event_loop)

    async def hash(self, password: str) -> str:
        """Return the encoded hash."""
        return await self._run(lambda: self._hasher.hash(password))

    async def verify(self, password: str, stored: str | None) -> tuple[bool, str | None]:
        """Compare with the stored hash, or with a dummy hash if there is none.

        A failed comparison takes at least `FAILED_LOGIN_MIN_S`, or as long as the slowest old hash so far. Otherwise
        its duration would show that an account exists.

        Returns:
            Whether the password matches, and a new hash to store if the old one is outdated.
        """

        def verify() -> tuple[bool, str | None, float]:
            start_s = perf_counter()
            try:
                matches, newer = self._hasher.verify_and_update(password, stored or self._nobody)
            except UnknownHashError:
                matches, newer = False, None
            return matches and stored is not None, newer, perf_counter() - start_s

        matches, newer, took_s = await self._run(verify)
        if stored is not None and not stored.startswith(ARGON2):
            self._failed_login_s = min(max(self._failed_login_s, took_s), LONGEST_FAILED_LOGIN_S)
        if not matches:
            await asyncio.sleep(max(0.0, self._failed_login_s - took_s))
        return matches, newer

    def close(self) -> None:
        """Stop the threads."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    async def _run(self, function: Callable[[], T]) -> T:
        submitted_s = perf_counter()

        def run() -> T:
            self._on_wait(perf_counter() - submitted_s)
            return function()

        return await asyncio.get_running_loop().run_in_executor(self._threads, run)


def usable_cores() -> int:
    """Return the number of cores that this process can use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def _yield_to_the_event_loop() -> None:
    # On Linux, niceness belongs to a thread. Requests take precedence over hashing if cores are busy.
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), HASHING_NICENESS)
