"""The base class of the users of this service, and the prefix of its routes."""

from __future__ import annotations

from locust import between

import loadgate.users

API = "/api/v1"


class BaseUser(loadgate.users.BaseUser):
    """A user that waits one to three seconds between tasks."""

    abstract = True
    wait_time = between(1.0, 3.0)
