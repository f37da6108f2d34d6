"""orders of customers

Revision ID: 6b1d
Revises: 5a0c
"""

import sqlalchemy as sa
from alembic import op

revision = "6b1d"
down_revision = "5a0c"


def upgrade():
    op.create_table(
        "orders",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("customer_id", sa.Integer, sa.ForeignKey("customer.id"), nullable=False),
        sa.Column("placed_at", sa.DateTime, nullable=False),
    )


def downgrade():
    op.drop_table("orders")
