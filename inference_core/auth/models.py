"""The tables of accounts."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID, uuid4

from sqlalchemy import Boolean, ForeignKey, Index, String, Text, Uuid, false
from sqlalchemy.dialects.mysql import VARCHAR as MYSQL_VARCHAR
from sqlalchemy.orm import Mapped, mapped_column

from inference_core.core.db.base import Base, UtcDateTime, utc_now

USERNAME_LENGTH = 50
EMAIL_LENGTH = 254
NAME_LENGTH = 100
SESSION_ID_LENGTH = 32
ROLE_NAME_LENGTH = 50
PERMISSION_LENGTH = 50
KEY_ID_LENGTH = 12
KEY_NAME_LENGTH = 100

# `reset` and `confirmation` refer to the account's email. `email` confirms a new email, which replaces it.
TokenPurpose = Literal["reset", "verify", "email"]


def _exact(length: int) -> String:
    # The default collation of MySQL treats accented letters like plain ones.
    return String(length).with_variant(MYSQL_VARCHAR(length, collation="utf8mb4_bin"), "mysql", "mariadb")


class User(Base):
    """An account. `username` and `email` are in lower case."""

    __tablename__ = "users"

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, default=uuid4)
    username: Mapped[str] = mapped_column(_exact(USERNAME_LENGTH), unique=True)
    email: Mapped[str] = mapped_column(_exact(EMAIL_LENGTH), unique=True)
    first_name: Mapped[str | None] = mapped_column(String(NAME_LENGTH))
    last_name: Mapped[str | None] = mapped_column(String(NAME_LENGTH))
    hashed_password: Mapped[str] = mapped_column(String(255))
    is_active: Mapped[bool] = mapped_column(Boolean, default=True)
    is_verified: Mapped[bool] = mapped_column(Boolean, default=False)
    is_superuser: Mapped[bool] = mapped_column(Boolean, default=False)
    # Created with HIDE_EXISTING_ACCOUNTS and not yet confirmed by mail, so nobody can log in.
    is_pending: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
    # Access tokens of an older version are invalid, unless they belong to the session that was kept.
    token_version: Mapped[int] = mapped_column(default=0)
    kept_session_id: Mapped[str | None] = mapped_column(String(SESSION_ID_LENGTH))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now, onupdate=utc_now)

    __table_args__ = (Index("ix_users_created_at", "created_at", "id"),)


class OneTimeToken(Base):
    """The hash of a mailed token. `email` is the new address of a token for a change of email."""

    __tablename__ = "one_time_tokens"

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    purpose: Mapped[TokenPurpose] = mapped_column(String(16))
    email: Mapped[str | None] = mapped_column(_exact(EMAIL_LENGTH))
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)

    __table_args__ = (Index("ix_one_time_tokens_user_id", "user_id", "purpose"),)


class Invitation(Base):
    """A permission to register with one email, until it is used or `expires_at`.

    The worker that mails it creates its token and stores the hash. Before that, nobody can use it. It stays valid if
    the account of the superuser who created it is deleted.
    """

    __tablename__ = "invitations"

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, default=uuid4)
    email: Mapped[str] = mapped_column(_exact(EMAIL_LENGTH), unique=True)
    token_hash: Mapped[str | None] = mapped_column(String(64), unique=True)
    invited_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"), index=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)

    __table_args__ = (Index("ix_invitations_created_at", "created_at", "id"),)


class MailDue(Base):
    """A mail task that was committed together with its cause. It is sent again from `send_at` on until it is done.

    `id` is the id of the task, and `arguments` is a JSON list.
    """

    __tablename__ = "mails_due"

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, default=uuid4)
    task: Mapped[str] = mapped_column(String(64))
    arguments: Mapped[str] = mapped_column(Text)
    send_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)


class EndedSession(Base):
    """An ended session whose access tokens may not have expired yet. The row is not needed after `expires_at`."""

    __tablename__ = "ended_sessions"

    session_id: Mapped[str] = mapped_column(String(SESSION_ID_LENGTH), primary_key=True)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


class Role(Base):
    """A named set of permissions."""

    __tablename__ = "roles"

    name: Mapped[str] = mapped_column(_exact(ROLE_NAME_LENGTH), primary_key=True)


class RolePermission(Base):
    """A permission of a role. A permission that no feature declares grants nothing."""

    __tablename__ = "role_permissions"

    role: Mapped[str] = mapped_column(ForeignKey("roles.name", ondelete="CASCADE"), primary_key=True)
    permission: Mapped[str] = mapped_column(_exact(PERMISSION_LENGTH), primary_key=True)


class UserRole(Base):
    """A role of an account."""

    __tablename__ = "user_roles"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    role: Mapped[str] = mapped_column(ForeignKey("roles.name", ondelete="CASCADE"), primary_key=True, index=True)


class ApiKey(Base):
    """A key of a machine caller, which acts as the account within its scopes.

    `id` is the public part of the key. `secret_hash` is the SHA-256 of its secret, and `scopes` are names of
    permissions, separated by spaces. Without `expires_at`, the key does not expire.
    """

    __tablename__ = "api_keys"

    id: Mapped[str] = mapped_column(_exact(KEY_ID_LENGTH), primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(KEY_NAME_LENGTH))
    secret_hash: Mapped[str] = mapped_column(String(64))
    scopes: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)
    last_used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    __table_args__ = (Index("ix_api_keys_user_id", "user_id", "created_at"),)
