"""The tables of the LLM endpoints: conversations, turns, charges and daily totals."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal
from uuid import UUID

from sqlalchemy import BigInteger, Boolean, Date, ForeignKey, Index, Integer, String, Text, Uuid, false
from sqlalchemy.dialects.mysql import MEDIUMTEXT
from sqlalchemy.dialects.mysql import VARCHAR as MYSQL_VARCHAR
from sqlalchemy.orm import Mapped, mapped_column

from inference_core.core.db.base import Base, UtcDateTime, utc_now

TITLE_LENGTH = 80
MODEL_LENGTH = 190
CHARGE_ID_LENGTH = 36
# The user id of callers without an account, because a key cannot contain NULL.
NOBODY = UUID(int=0)

TurnRole = Literal["user", "assistant"]
# TEXT of MySQL is limited to 64 KiB.
_LONG = Text().with_variant(MEDIUMTEXT(), "mysql", "mariadb")


def _model_name() -> String:
    return String(MODEL_LENGTH).with_variant(MYSQL_VARCHAR(MODEL_LENGTH, collation="utf8mb4_bin"), "mysql", "mariadb")


class ChatSession(Base):
    """A conversation of one user, or of an anonymous caller if such calls are allowed."""

    __tablename__ = "llm_sessions"

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    user_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    title: Mapped[str] = mapped_column(String(TITLE_LENGTH))
    turn_count: Mapped[int] = mapped_column(Integer)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)

    __table_args__ = (Index("ix_llm_sessions_user_id", "user_id", "updated_at", "id"),)


class ChatTurn(Base):
    """One turn. For an incomplete answer, `complete` is false and `content` is the generated part."""

    __tablename__ = "llm_turns"

    session_id: Mapped[UUID] = mapped_column(ForeignKey("llm_sessions.id", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    role: Mapped[TurnRole] = mapped_column(String(16))
    content: Mapped[str] = mapped_column(_LONG)
    complete: Mapped[bool] = mapped_column(Boolean)
    model: Mapped[str | None] = mapped_column(String(MODEL_LENGTH))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)


class Charge(Base):
    """The charge of one answer, under the id of its task or stream, so that it is counted once.

    Its tokens are `estimated` if the provider reported none or impossible ones. `answer` is stored only for tasks: a
    task that is delivered again returns it instead of calling the model. Rows are deleted after some days, and the
    totals remain.
    """

    __tablename__ = "llm_charges"

    id: Mapped[str] = mapped_column(String(CHARGE_ID_LENGTH), primary_key=True)
    owner_id: Mapped[UUID] = mapped_column(Uuid)
    model: Mapped[str] = mapped_column(_model_name())
    provider: Mapped[str] = mapped_column(String(MODEL_LENGTH))
    simulated: Mapped[bool] = mapped_column(Boolean)
    complete: Mapped[bool] = mapped_column(Boolean)
    input_tokens: Mapped[int] = mapped_column(Integer)
    output_tokens: Mapped[int] = mapped_column(Integer)
    estimated: Mapped[bool] = mapped_column(Boolean, server_default=false())
    cost_nano_usd: Mapped[int] = mapped_column(BigInteger)
    answer: Mapped[str | None] = mapped_column(_LONG)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now, index=True)


class DailyUsage(Base):
    """The totals of one user, model and day (UTC), separate for simulated answers, which cost nothing.

    There is no foreign key, so that the usage of a deleted account remains.
    """

    __tablename__ = "llm_usage"

    owner_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    model: Mapped[str] = mapped_column(_model_name(), primary_key=True)
    simulated: Mapped[bool] = mapped_column(Boolean, primary_key=True)
    requests: Mapped[int] = mapped_column(BigInteger)
    input_tokens: Mapped[int] = mapped_column(BigInteger)
    output_tokens: Mapped[int] = mapped_column(BigInteger)
    cost_nano_usd: Mapped[int] = mapped_column(BigInteger)

    __table_args__ = (Index("ix_llm_usage_day", "day"),)
