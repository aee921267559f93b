"""Load of single kinds of requests, for searches of the capacity of this service."""
