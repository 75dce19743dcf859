"""Indexes of what few rows are: not available, unused, or of a content that is gone from the store."""

from alembic import op

revision = "0012"
down_revision = "0011"

INDEXES = """
CREATE INDEX ON fetch_results (partner_id, outcome, reason) WHERE outcome <> 'available';
CREATE INDEX ON fetch_results USING hash (sha256);     -- a fifth of a B-tree's size, and nobody asks for a range
CREATE INDEX ON fingerprint_queue USING hash (sha256);
CREATE INDEX ON grouped_hotels (hotel_id) WHERE unused_since IS NOT NULL;
CREATE INDEX ON ranked_hotels (hotel_id) WHERE unused_since IS NOT NULL;
"""


def upgrade() -> None:
    op.execute(INDEXES)
