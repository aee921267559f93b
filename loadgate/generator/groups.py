"""Groups of users: by which class of users a request was sent, whatever client the class has."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any

import gevent
from locust import User

from loadgate.generator.locust_patches import replace

GROUP = "group"
"""Attribute of a user class, and key of a request's context, under which its group stands.

Any Locust user can set it through `context()`.
"""

_ATTRIBUTE = "_scope_group"
_SAYS = "_says_group"


def declare_groups(user_classes: Iterable[type[User]]) -> None:
    """Read `group = "…"` of the classes and their bases, and have their users' requests say it."""
    for user_class in user_classes:
        for base in user_class.__mro__:
            keep_group(base)
        if not hasattr(user_class.context, _SAYS):
            replace(user_class, context=_with_group(user_class.context))


def keep_group(user_class: type) -> None:
    """Move a class's own `group = "…"` out of the way of Locust's `User.group`, its group of greenlets.

    Locust needs that when a task ends the run.
    """
    declared = vars(user_class).get(GROUP)
    if isinstance(declared, str):
        setattr(user_class, _ATTRIBUTE, declared)
        delattr(user_class, GROUP)


def group_of(user_class: type) -> str:
    """Return the group that the requests of a user class are judged in: its own, else its name."""
    return getattr(user_class, _ATTRIBUTE, "") or user_class.__name__


def group_here() -> str:
    """Return the group of the user whose greenlet this is, "" in any other greenlet."""
    arguments = getattr(gevent.getcurrent(), "args", None)
    # Locust runs each user in a greenlet whose only argument is the user.
    return group_of(type(arguments[0])) if arguments and isinstance(arguments[0], User) else ""


def _with_group(context: Any) -> Any:
    @functools.wraps(context)
    def with_group(user: User) -> dict[str, Any]:
        return {GROUP: group_of(type(user)), **context(user)}

    setattr(with_group, _SAYS, True)
    return with_group
