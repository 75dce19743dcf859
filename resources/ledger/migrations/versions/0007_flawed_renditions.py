"""Whether a picture has no renditions because it cannot be read, or because one that we made did not pass its check."""

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.execute("ALTER TABLE rendition_failures ADD COLUMN flawed boolean NOT NULL DEFAULT false")
