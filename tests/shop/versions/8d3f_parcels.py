"""parcels of orders

Revision ID: 8d3f
Revises: 6b1d
"""

import sqlalchemy as sa
from alembic import op

revision = "8d3f"
down_revision = "6b1d"


def upgrade():
    op.create_table(
        "parcel",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("order_id", sa.Integer, sa.ForeignKey("orders.id")),
    )


def downgrade():
    op.drop_table("parcel")
