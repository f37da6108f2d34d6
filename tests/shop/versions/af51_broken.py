"""an index on a column that is not there

Revision ID: af51
Revises: 9e40
"""

from alembic import op

revision = "af51"
down_revision = "9e40"


def upgrade():
    op.create_index("orders_colour", "orders", ["colour"])


def downgrade():
    op.drop_index("orders_colour")
