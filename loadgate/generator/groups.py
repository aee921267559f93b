"""Assign each request to the group of the user class that sent it, for every client."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any

import gevent
from locust import User

from loadgate.generator.locust_patches import replace

GROUP = "group"
"""The attribute of a user class, and the key of a request's context, that holds the group.

Any Locust user can set it through `context()`.
"""

_ATTRIBUTE = "_scope_group"
_ADDS_GROUP = "_adds_group"


def declare_groups(user_classes: Iterable[type[User]]) -> None:
    """Read `group = "…"` of the classes and their bases, and add it to the context of their requests."""
    for user_class in user_classes:
        for base in user_class.__mro__:
            keep_group(base)
        if not hasattr(user_class.context, _ADDS_GROUP):
            replace(user_class, context=_with_group(user_class.context))


def keep_group(user_class: type) -> None:
    """Move a class's `group = "…"` to another attribute.

    Otherwise it would hide Locust's `User.group`, the group of greenlets that Locust needs when a task stops the run.
    """
    declared = vars(user_class).get(GROUP)
    if isinstance(declared, str):
        setattr(user_class, _ATTRIBUTE, declared)
        delattr(user_class, GROUP)


def group_of(user_class: type) -> str:
    """Return the group of a user class: its `group`, or else its name."""
    return getattr(user_class, _ATTRIBUTE, "") or user_class.__name__


def current_group() -> str:
    """Return the group of the user that runs in this greenlet. "" in a greenlet without a user."""
    arguments = getattr(gevent.getcurrent(), "args", None)
    # Locust runs each user in a greenlet whose only argument is the user.
    return group_of(type(arguments[0])) if arguments and isinstance(arguments[0], User) else ""


def _with_group(context: Any) -> Any:
    @functools.wraps(context)
    def with_group(user: User) -> dict[str, Any]:
        return {GROUP: group_of(type(user)), **context(user)}

    setattr(with_group, _ADDS_GROUP, True)
    return with_group
