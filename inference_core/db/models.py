"""Every model of the service in one place, so that the metadata is whole for migrations."""

from inference_core.auth.models import EndedSession, OneTimeToken, User
from inference_core.llm.models import Charge, ChatSession, ChatTurn, DailyUsage

__all__ = ["Charge", "ChatSession", "ChatTurn", "DailyUsage", "EndedSession", "OneTimeToken", "User"]
