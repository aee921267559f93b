"""Add products."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from inference_core.core.db.base import UtcDateTime

revision = "products_0001"
down_revision = None
branch_labels = ("products",)

# The tables whose rows each direction deletes intentionally, including dropped tables. Any other loss stops it.
upgrade_deletes_from: tuple[str, ...] = ()
downgrade_deletes_from: tuple[str, ...] = ("products",)


def upgrade() -> None:
    """Apply the change."""
    op.create_table(
        "products",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("sku", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("price_cents", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_products")),
        sa.UniqueConstraint("sku", name=op.f("uq_products_sku")),
    )


def downgrade() -> None:
    """Revert the change."""
    op.drop_table("products")
