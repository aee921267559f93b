"""Every model of the service in one place, so that the metadata is whole for migrations."""

from inference_core.auth.models import EndedSession, OneTimeToken, User

__all__ = ["EndedSession", "OneTimeToken", "User"]
