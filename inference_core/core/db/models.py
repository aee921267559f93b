"""Import all models of the service, so that the metadata for migrations is complete."""

from inference_core.auth.models import EndedSession, OneTimeToken, User
from inference_core.llm.models import Charge, ChatSession, ChatTurn, DailyUsage

__all__ = ["Charge", "ChatSession", "ChatTurn", "DailyUsage", "EndedSession", "OneTimeToken", "User"]
