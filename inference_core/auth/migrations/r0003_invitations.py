"""Invitations to register."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.mysql import DATETIME, VARCHAR

revision = "accounts_0003"
down_revision = "accounts_0002"
branch_labels = None
depends_on = None

downgrade_deletes_from = ("invitations",)

TIME = sa.DateTime(timezone=True).with_variant(DATETIME(fsp=6), "mysql", "mariadb")
EMAIL = sa.String(254).with_variant(VARCHAR(254, collation="utf8mb4_bin"), "mysql", "mariadb")


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "invitations",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("email", EMAIL, nullable=False),
        sa.Column("token_hash", sa.String(64)),
        sa.Column("invited_by", sa.Uuid()),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_invitations"),
        sa.ForeignKeyConstraint(
            ["invited_by"], ["users.id"], name="fk_invitations_invited_by_users", ondelete="SET NULL"
        ),
        sa.UniqueConstraint("email", name="uq_invitations_email"),
        sa.UniqueConstraint("token_hash", name="uq_invitations_token_hash"),
    )
    op.create_index("ix_invitations_invited_by", "invitations", ["invited_by"])
    op.create_index("ix_invitations_created_at", "invitations", ["created_at", "id"])


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("invitations")
