"""Requests per core of the load generator: BaseUser compared with FastHttpUser and HttpUser."""
