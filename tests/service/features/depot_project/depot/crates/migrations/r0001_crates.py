"""Create the table of crates."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "crates_0001"
down_revision = None
branch_labels = ("crates",)
depends_on = None

downgrade_deletes_from = ("crates",)


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "crates",
        sa.Column("label", sa.String(50), nullable=False),
        sa.Column("color", sa.String(50), nullable=False),
        sa.PrimaryKeyConstraint("label", name="pk_crates"),
    )


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("crates")
