"""The load gate inside a Locust process. Only this package imports Locust and gevent."""
