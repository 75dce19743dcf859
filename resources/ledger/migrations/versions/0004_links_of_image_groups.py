"""Why images are one group: the links that made each image group, and the groups that hang together weakly.

As all results of grouping they belong to (hotel, group digest). Counts stand in `grouped_hotels`, one row a hotel.
Hotels that were grouped before have no links, so they are grouped again: their rows here go, their groups stay.
"""

from alembic import op

revision = "0004"
down_revision = "0003"

LINKS = """
CREATE TABLE image_group_links (       -- a pair of contents of a hotel that made them one group
    hotel_id text COLLATE "C" NOT NULL,
    group_digest uuid NOT NULL,
    image_group_id text COLLATE "C" NOT NULL,
    a bytea NOT NULL,
    b bytea NOT NULL CHECK (a < b),
    rule text NOT NULL,                -- of the policy; or 'decision': people said so
    score real NOT NULL,
    mirrored boolean NOT NULL,
    window_left real,                  -- the part of b's frame that a shows, as fractions of b's size
    window_top real,
    window_right real,
    window_bottom real,
    PRIMARY KEY (hotel_id, group_digest, a, b)
);
CREATE TABLE weak_image_groups (       -- kept although a weak link holds them together
    hotel_id text COLLATE "C" NOT NULL,
    group_digest uuid NOT NULL,
    image_group_id text COLLATE "C" NOT NULL,
    PRIMARY KEY (hotel_id, group_digest, image_group_id)
);
TRUNCATE grouped_hotels;
ALTER TABLE grouped_hotels
    ADD COLUMN image_groups integer NOT NULL,
    ADD COLUMN links integer NOT NULL,
    ADD COLUMN weak_groups integer NOT NULL,
    ADD COLUMN split_links integer NOT NULL, -- weak links that were not accepted
    ADD COLUMN disobeyed integer NOT NULL;   -- people's decisions that the groups could not obey
"""


def upgrade() -> None:
    op.execute(LINKS)
