"""Several mailed tokens for each account, accounts that wait for their confirmation, and mails that are due."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.mysql import DATETIME, VARCHAR

revision = "accounts_0002"
down_revision = "accounts_0001"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True).with_variant(DATETIME(fsp=6), "mysql", "mariadb")
EMAIL = sa.String(254).with_variant(VARCHAR(254, collation="utf8mb4_bin"), "mysql", "mariadb")
OLDER_TOKENS = """
DELETE FROM one_time_tokens WHERE token_hash IN (
  SELECT token_hash FROM (
    SELECT token_hash, ROW_NUMBER() OVER (PARTITION BY user_id, purpose ORDER BY expires_at DESC) AS place
    FROM one_time_tokens
  ) AS ranked WHERE place > 1
)
"""


def is_mysql() -> bool:
    """Return whether the key must change in one statement, because the server can require a key for every table."""
    return op.get_context().dialect.name in {"mysql", "mariadb"}


def upgrade() -> None:
    """Make the hash the key of mailed tokens, so that an account can have several; add mails that are due."""
    op.add_column("users", sa.Column("is_pending", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("one_time_tokens", sa.Column("email", EMAIL))
    op.create_index("ix_one_time_tokens_user_id", "one_time_tokens", ["user_id", "purpose"])
    if is_mysql():
        op.execute(
            "ALTER TABLE one_time_tokens DROP PRIMARY KEY, ADD PRIMARY KEY (token_hash),"
            " DROP INDEX uq_one_time_tokens_token_hash"
        )
    else:
        with op.batch_alter_table("one_time_tokens") as table:
            table.drop_constraint("pk_one_time_tokens", type_="primary")
            table.drop_constraint("uq_one_time_tokens_token_hash", type_="unique")
            table.create_primary_key("pk_one_time_tokens", ["token_hash"])
    op.create_table(
        "mails_due",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("task", sa.String(64), nullable=False),
        sa.Column("arguments", sa.Text(), nullable=False),
        sa.Column("send_at", TIME, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_mails_due"),
    )
    op.create_index("ix_mails_due_send_at", "mails_due", ["send_at"])


def downgrade() -> None:
    """Restore the earlier keys. Of several tokens for one purpose, the newest is kept."""
    op.drop_table("mails_due")
    op.execute(OLDER_TOKENS)
    if is_mysql():
        op.execute(
            "ALTER TABLE one_time_tokens DROP PRIMARY KEY, ADD PRIMARY KEY (user_id, purpose),"
            " ADD CONSTRAINT uq_one_time_tokens_token_hash UNIQUE (token_hash)"
        )
    else:
        with op.batch_alter_table("one_time_tokens") as table:
            table.drop_constraint("pk_one_time_tokens", type_="primary")
            table.create_primary_key("pk_one_time_tokens", ["user_id", "purpose"])
            table.create_unique_constraint("uq_one_time_tokens_token_hash", ["token_hash"])
    op.drop_index("ix_one_time_tokens_user_id", "one_time_tokens")
    op.drop_column("one_time_tokens", "email")
    op.drop_column("users", "is_pending")
