"""Base class of all simulated users of this service, and the prefix of the API."""

from locust import between

import loadgate.users

API = "/api/v1"


class BaseUser(loadgate.users.BaseUser):
    """Base class of users. Subclasses declare `@task` methods.

    Inside `with self.client.get(...) as response:`, call `response.expect(status, content)` to check the response, or
    `response.success()` and `response.failure(why)` to decide its outcome.
    """

    abstract = True
    wait_time = between(1.0, 3.0)
