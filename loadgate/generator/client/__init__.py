"""The HTTP client of users: requests, streams, timing and traces."""
