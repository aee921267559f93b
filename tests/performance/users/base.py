"""What every simulated user of this service shares: the API's prefix and a person's pauses."""

from locust import between

import loadgate.users

API = "/api/v1"


class BaseUser(loadgate.users.BaseUser):
    """A user of the service. Derive from it and declare `@task` methods.

    Inside `with self.client.get(...) as response:` the response is judged by `response.expect(status, content)`, or by
    `response.success()` and `response.failure(why)`.
    """

    abstract = True
    wait_time = between(1.0, 3.0)
