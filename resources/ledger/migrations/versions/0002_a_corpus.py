"""A corpus of labelled pairs, with the fingerprints that judge a policy without any pixels, and the certificates."""

from alembic import op

revision = "0002"
down_revision = "0001"

CORPUS = """
CREATE TABLE corpus_pictures (
    picture uuid PRIMARY KEY,          -- md5 over source, edit and draw
    source bytea NOT NULL,             -- sha256 of the picture it was made from; its own when nothing was edited
    edit text NOT NULL,                -- '' for none
    hotel_id text COLLATE "C",
    name text NOT NULL,                -- URL or file, for people
    method text NOT NULL,              -- version of the fingerprint method
    width integer NOT NULL,
    height integer NOT NULL,
    crop_hashes bytea NOT NULL,        -- as in fingerprints
    luma bytea NOT NULL,
    preview bytea NOT NULL             -- a small JPEG for the report
);
ALTER TABLE corpus_pictures ALTER COLUMN crop_hashes SET STORAGE PLAIN, ALTER COLUMN luma SET STORAGE MAIN,
    ALTER COLUMN preview SET STORAGE EXTERNAL;
CREATE TABLE corpus_pairs (
    a uuid NOT NULL,
    b uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('generated', 'imported')),
    origin text COLLATE "C" NOT NULL,  -- the pipeline, a folder or a file; made again, it replaces its pairs
    same boolean NOT NULL,
    detail text NOT NULL,              -- of generated pairs: the edit, or how the different picture was found
    PRIMARY KEY (a, b, kind, origin),
    CHECK (a < b)
);
CREATE TABLE certificates (            -- what a policy was measured to do on a corpus; the newest of a policy counts
    certificate text PRIMARY KEY,      -- digest of the body
    rule text NOT NULL,
    version integer NOT NULL,
    threshold double precision NOT NULL,
    mirrored boolean NOT NULL,
    method text NOT NULL,              -- of the fingerprints
    body jsonb NOT NULL,
    report_key text NOT NULL,
    evaluated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON certificates (rule, threshold, mirrored, method, evaluated_at);
"""


def upgrade() -> None:
    op.execute(CORPUS)
