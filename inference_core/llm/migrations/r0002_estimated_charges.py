"""Add the column that marks charges with estimated tokens."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "llm_0002"
down_revision = "llm_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column. Existing charges count as reported, because most of them were."""
    op.add_column("llm_charges", sa.Column("estimated", sa.Boolean(), nullable=False, server_default=sa.false()))


def downgrade() -> None:
    """Drop the column. The marks are lost."""
    op.drop_column("llm_charges", "estimated")
