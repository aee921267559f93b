"""Simulated users of this service, one module for each group of endpoints."""

from users.auth import AuthUserFlow
from users.base import BaseUser
from users.database import DatabaseHealthUser
from users.health import HealthCheckFullUser, HealthCheckUser
from users.llm import LLMStreamUser, LLMTaskUser
from users.tasks import TasksMonitoringUser

__all__ = [
    "AuthUserFlow",
    "BaseUser",
    "DatabaseHealthUser",
    "HealthCheckFullUser",
    "HealthCheckUser",
    "LLMStreamUser",
    "LLMTaskUser",
    "TasksMonitoringUser",
]
