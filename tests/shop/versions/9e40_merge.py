"""merges points and parcels

Revision ID: 9e40
Revises: 7c2e, 8d3f
"""

revision = "9e40"
down_revision = ("7c2e", "8d3f")


def upgrade():
    pass


def downgrade():
    pass
