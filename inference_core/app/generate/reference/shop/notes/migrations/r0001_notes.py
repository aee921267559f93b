"""Create the table of notes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.mysql import DATETIME

revision = "notes_0001"
down_revision = None
branch_labels = ("notes",)
depends_on = None

downgrade_deletes_from = ("notes",)

TIME = sa.DateTime(timezone=True).with_variant(DATETIME(fsp=6), "mysql", "mariadb")


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "notes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_notes"),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name="fk_notes_owner_id_users", ondelete="CASCADE"),
    )
    op.create_index("ix_notes_owner_id", "notes", ["owner_id", "created_at", "id"])


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("notes")
