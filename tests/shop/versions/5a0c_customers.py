"""customers of the shop

Revision ID: 5a0c
"""

import sqlalchemy as sa
from alembic import op

revision = "5a0c"
down_revision = None


def upgrade():
    op.create_table(
        "customer",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("pseudonym", sa.String(32), nullable=False, unique=True),
    )


def downgrade():
    op.drop_table("customer")
