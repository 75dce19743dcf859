"""The fetch queue by host, what servers said with a picture, and whose pictures a release took from an earlier one."""

from alembic import op

revision = "0008"
down_revision = "0007"

BY_HOST = """
-- Only to draw the queue host by host: an approximation (no user name, no more than an index row takes), never asked.
ALTER TABLE fetch_queue ADD COLUMN host text COLLATE "C" NOT NULL GENERATED ALWAYS AS (
    left(lower(coalesce(substring(url from '^[A-Za-z]+://(?:[^/?#]*@)?([^/?#]*)'), '')) COLLATE "C", 255)) STORED;
CREATE INDEX ON fetch_queue (partner_id, host, fetch_key);
"""

HEADERS = """
CREATE TABLE fetch_headers (           -- what a server said with a picture
    partner_id text COLLATE "C" NOT NULL,
    fetch_key uuid NOT NULL,
    etag text,
    last_modified text,
    robots_tag text,                   -- the directives that opt out, if any
    checked_at timestamptz,            -- when an available picture was last fetched or revalidated
    PRIMARY KEY (partner_id, fetch_key)
);
CREATE INDEX ON fetch_headers (partner_id, checked_at);
INSERT INTO fetch_headers (partner_id, fetch_key, checked_at)
SELECT partner_id, fetch_key, now() FROM fetch_results WHERE outcome = 'available';
"""

RELEASE_PARTNERS = """
CREATE TABLE release_partners (        -- the partners of a frozen release
    release_id text COLLATE "C" NOT NULL,
    partner_id text COLLATE "C" NOT NULL,
    passed boolean NOT NULL,           -- its gate failed_share was open
    taken_from text COLLATE "C",       -- else: the earlier release its pictures are taken from, if there is one
    PRIMARY KEY (release_id, partner_id)
);
INSERT INTO release_partners (release_id, partner_id, passed)
SELECT DISTINCT release_id, partner_id, true FROM release_images;
"""


def upgrade() -> None:
    for statements in (BY_HOST, HEADERS, RELEASE_PARTNERS):
        op.execute(statements)
