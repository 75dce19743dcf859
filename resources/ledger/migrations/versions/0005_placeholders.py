"""Placeholders: what contents look like, and which of a release's contents are no pictures of a hotel.

The entries that show one stay in `release_images`, marked: nothing is grouped or published of them.
"""

from alembic import op

revision = "0005"
down_revision = "0004"

PLACEHOLDERS = """
CREATE TABLE content_looks (           -- what near-identical pictures have in common
    sha256 bytea NOT NULL,
    method text NOT NULL,              -- of the fingerprint, and of the looks
    key_1 bigint NOT NULL,
    key_2 bigint NOT NULL,
    blank boolean NOT NULL,            -- one colour, give or take noise
    PRIMARY KEY (sha256, method)
);
CREATE TABLE release_placeholders (    -- the contents of a release that are no pictures of a hotel
    release_id text COLLATE "C" NOT NULL,
    sha256 bytea NOT NULL,
    placeholder bytea NOT NULL,        -- the smallest content that looks like it
    reason text NOT NULL CHECK (reason IN ('many_hotels', 'blank')),
    hotels integer NOT NULL,           -- that show this placeholder, in any of its contents
    images integer NOT NULL,           -- entries with this very content
    url text NOT NULL,                 -- of one of them
    PRIMARY KEY (release_id, sha256)
);
ALTER TABLE release_images ADD COLUMN placeholder boolean NOT NULL DEFAULT false;
ALTER TABLE release_hotels ADD COLUMN placeholder_images integer NOT NULL DEFAULT 0; -- not among its images
ALTER TABLE data_releases
    ADD COLUMN placeholders bigint NOT NULL DEFAULT 0,
    ADD COLUMN placeholder_images bigint NOT NULL DEFAULT 0,
    ADD COLUMN only_placeholders bigint NOT NULL DEFAULT 0; -- hotels
"""


def upgrade() -> None:
    op.execute(PLACEHOLDERS)
