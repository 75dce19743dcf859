"""Image groups that people's decisions may change: those near images that they put apart.

As all results of grouping they belong to (hotel, group digest). Hotels of which people put images apart are grouped
again, so that theirs are found.
"""

from alembic import op

revision = "0010"
down_revision = "0009"

PARTED = """
CREATE TABLE parted_image_groups (     -- hold an image that people put apart from another, or are linked to one
    hotel_id text COLLATE "C" NOT NULL,
    group_digest uuid NOT NULL,
    image_group_id text COLLATE "C" NOT NULL,
    PRIMARY KEY (hotel_id, group_digest, image_group_id)
);
ALTER TABLE grouped_hotels ADD COLUMN parted_groups integer NOT NULL DEFAULT 0;
DELETE FROM grouped_hotels WHERE hotel_id IN (SELECT hotel_id FROM release_decisions WHERE NOT same);
"""


def upgrade() -> None:
    op.execute(PARTED)
