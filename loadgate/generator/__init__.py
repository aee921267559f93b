"""Everything that knows Locust or gevent: the gate inside a Locust process."""
