"""What `image-assets gc` found unused, and since when: it deletes only what stays so for longer than any run.

Also since when a lease is held: nothing marked after the oldest run began is deleted beneath it.
"""

from alembic import op

revision = "0006"
down_revision = "0005"

TOMBSTONES = """
CREATE TABLE tombstones (              -- objects that nothing referred to when gc last looked
    key text COLLATE "C" PRIMARY KEY,
    marked_at timestamptz NOT NULL DEFAULT now()
);
ALTER TABLE grouped_hotels ADD COLUMN unused_since timestamptz; -- by no loaded release under the present policy
ALTER TABLE ranked_hotels ADD COLUMN unused_since timestamptz;  -- nor under the present ranking
CREATE TABLE fingerprint_methods (     -- methods that fingerprints were made by
    method text PRIMARY KEY,
    unused_since timestamptz
);
INSERT INTO fingerprint_methods (method)
SELECT DISTINCT fingerprint_method FROM partner_catalogues WHERE fingerprint_method IS NOT NULL;
ALTER TABLE leases ADD COLUMN taken_at timestamptz NOT NULL DEFAULT now();
"""


def upgrade() -> None:
    op.execute(TOMBSTONES)
