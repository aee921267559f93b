"""Charges say whether their tokens are an estimate."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "llm_0002"
down_revision = "llm_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Of older charges nobody knows any more; most were told by their provider."""
    op.add_column("llm_charges", sa.Column("estimated", sa.Boolean(), nullable=False, server_default=sa.false()))


def downgrade() -> None:
    """Which were estimates is lost."""
    op.drop_column("llm_charges", "estimated")
