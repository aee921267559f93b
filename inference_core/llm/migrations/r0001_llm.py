"""Create the tables of conversations, charges and daily totals."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.mysql import DATETIME, MEDIUMTEXT, VARCHAR

revision = "llm_0001"
down_revision = None
branch_labels = ("llm",)
depends_on = None

downgrade_deletes_from = ("llm_sessions", "llm_turns", "llm_charges", "llm_usage")

TIME = sa.DateTime(timezone=True).with_variant(DATETIME(fsp=6), "mysql", "mariadb")
LONG = sa.Text().with_variant(MEDIUMTEXT(), "mysql", "mariadb")
MODEL = sa.String(190).with_variant(VARCHAR(190, collation="utf8mb4_bin"), "mysql", "mariadb")


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "llm_sessions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("title", sa.String(80), nullable=False),
        sa.Column("turn_count", sa.Integer(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_llm_sessions"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_llm_sessions_user_id_users", ondelete="CASCADE"),
    )
    op.create_index("ix_llm_sessions_user_id", "llm_sessions", ["user_id", "updated_at", "id"])
    op.create_table(
        "llm_turns",
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("content", LONG, nullable=False),
        sa.Column("complete", sa.Boolean(), nullable=False),
        sa.Column("model", sa.String(190), nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("session_id", "position", name="pk_llm_turns"),
        sa.ForeignKeyConstraint(
            ["session_id"], ["llm_sessions.id"], name="fk_llm_turns_session_id_llm_sessions", ondelete="CASCADE"
        ),
    )
    op.create_table(
        "llm_charges",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("model", MODEL, nullable=False),
        sa.Column("provider", sa.String(190), nullable=False),
        sa.Column("simulated", sa.Boolean(), nullable=False),
        sa.Column("complete", sa.Boolean(), nullable=False),
        sa.Column("input_tokens", sa.Integer(), nullable=False),
        sa.Column("output_tokens", sa.Integer(), nullable=False),
        sa.Column("cost_nano_usd", sa.BigInteger(), nullable=False),
        sa.Column("answer", LONG, nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_llm_charges"),
    )
    op.create_index("ix_llm_charges_created_at", "llm_charges", ["created_at"])
    op.create_table(
        "llm_usage",
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("model", MODEL, nullable=False),
        sa.Column("simulated", sa.Boolean(), nullable=False),
        sa.Column("requests", sa.BigInteger(), nullable=False),
        sa.Column("input_tokens", sa.BigInteger(), nullable=False),
        sa.Column("output_tokens", sa.BigInteger(), nullable=False),
        sa.Column("cost_nano_usd", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("owner_id", "day", "model", "simulated", name="pk_llm_usage"),
    )
    op.create_index("ix_llm_usage_day", "llm_usage", ["day"])


def downgrade() -> None:
    """Drop the tables."""
    op.drop_table("llm_usage")
    op.drop_table("llm_charges")
    op.drop_table("llm_turns")
    op.drop_table("llm_sessions")
