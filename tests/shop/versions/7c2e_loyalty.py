"""points of loyal customers

Revision ID: 7c2e
Revises: 6b1d
"""

import sqlalchemy as sa
from alembic import op

revision = "7c2e"
down_revision = "6b1d"


def upgrade():
    op.add_column("customer", sa.Column("points", sa.Integer))


def downgrade():
    op.drop_column("customer", "points")
