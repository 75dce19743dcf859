"""Rechecks that found no picture: the picture stays, and is asked for again after growing pauses."""

from alembic import op

revision = "0011"
down_revision = "0010"

FAILED_RECHECKS = """
ALTER TABLE fetch_headers
    ADD COLUMN failed_rechecks integer NOT NULL DEFAULT 0, -- in a row
    ADD COLUMN failing_since timestamptz,                  -- the first of them
    ADD COLUMN recheck_at timestamptz;                     -- when the next one is due
CREATE INDEX ON fetch_headers (partner_id, recheck_at) WHERE recheck_at IS NOT NULL;
"""


def upgrade() -> None:
    op.execute(FAILED_RECHECKS)
