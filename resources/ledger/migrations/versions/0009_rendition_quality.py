"""The quality that a rendition came to, and whether it is larger than its recipe allows even so."""

from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.execute(
        "ALTER TABLE renditions ADD COLUMN quality smallint, ADD COLUMN too_large boolean NOT NULL DEFAULT false"
    )
