"""The sampler of the target: a child process that measures the resources of the target once a second.

It is a process of its own, so that it never delays the event loop of the load generator. It starts fast, because it
imports neither Pydantic nor Locust.
"""
