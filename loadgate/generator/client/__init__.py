"""The HTTP client of users: requests, streams, their times and their traces."""
