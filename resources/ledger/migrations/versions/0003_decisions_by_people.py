"""What people decided about two pictures, and what of it each release applies.

A release applies decisions hotel by hotel: `release_hotels.decisions_digest` is part of a hotel's input digests, NULL
where nothing was decided, so that hotels without decisions keep their digests.
"""

from alembic import op

revision = "0003"
down_revision = "0002"

DECISIONS = """
CREATE TABLE pair_decisions (          -- what people say of two contents; refers to images, never to group ids
    a bytea NOT NULL,
    b bytea NOT NULL CHECK (a < b),
    same boolean NOT NULL,
    note text,
    decided_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (a, b)
);
CREATE TABLE release_decisions (       -- the decisions that a release applies, for every hotel that shows both
    release_id text COLLATE "C" NOT NULL,
    hotel_id text COLLATE "C" NOT NULL,
    a bytea NOT NULL,
    b bytea NOT NULL,
    same boolean NOT NULL,
    PRIMARY KEY (release_id, hotel_id, a, b)
);
ALTER TABLE release_hotels ADD COLUMN decisions_digest uuid; -- of its release_decisions; NULL: none
ALTER TABLE data_releases ADD COLUMN decisions uuid;         -- digest of all decisions when it last applied them
"""


def upgrade() -> None:
    op.execute(DECISIONS)
