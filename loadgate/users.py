"""`BaseUser`, the user class of load tests, and `GROUP`, the key of a request's context that names its group."""

from loadgate.generator.groups import GROUP
from loadgate.generator.users import BaseUser, GateResponse

__all__ = ["GROUP", "BaseUser", "GateResponse"]
