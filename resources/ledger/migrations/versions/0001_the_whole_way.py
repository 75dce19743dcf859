"""The tables of the whole way, from catalogues to published releases.

Ids are text in COLLATE "C": bytewise order is the manifest's order, on every server. Results are appended by
COPY to narrow keyed tables; the wide catalogue rows are only touched when the catalogue changes.
"""

from alembic import op

revision = "0001"
down_revision = None

CATALOGUES = """
CREATE TABLE partner_catalogues (      -- what is applied now, one row a known partner
    partner_id text COLLATE "C" PRIMARY KEY,
    version text COLLATE "C",
    etag text,
    screening text,                    -- the screening limits its pictures were judged by
    fingerprint_method text            -- the method by which its pictures have their fingerprints
);
CREATE TABLE catalogue_versions (      -- every catalogue we looked at, and what came of it
    partner_id text COLLATE "C" NOT NULL,
    version text COLLATE "C" NOT NULL,
    object_key text NOT NULL,
    etag text NOT NULL,
    outcome text NOT NULL CHECK (outcome IN ('applied', 'held', 'unreadable')),
    entries bigint NOT NULL DEFAULT 0,
    rejected bigint NOT NULL DEFAULT 0,
    new bigint NOT NULL DEFAULT 0,
    updated bigint NOT NULL DEFAULT 0,
    deleted bigint NOT NULL DEFAULT 0,
    unchanged bigint NOT NULL DEFAULT 0,
    message text,
    decided_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (partner_id, version)
);
CREATE TABLE catalogue_rejects (       -- rows and fields of a catalogue that could not be used
    partner_id text COLLATE "C" NOT NULL,
    version text COLLATE "C" NOT NULL,
    file text NOT NULL,
    line bigint NOT NULL,
    field text NOT NULL,
    reason text NOT NULL,
    value text,
    row_kept boolean NOT NULL DEFAULT false -- only an optional field was unusable; the entry is there without it
);
CREATE INDEX ON catalogue_rejects (partner_id, version);
CREATE TABLE catalogue_entries (       -- the applied catalogues' rows
    partner_id text COLLATE "C" NOT NULL,
    accommodation_id text COLLATE "C" NOT NULL,
    url_key uuid NOT NULL,             -- md5(url)
    fetch_key uuid NOT NULL,           -- md5(url and entry version): another version is another picture
    url text NOT NULL,
    position integer,
    caption text,
    category text,
    version text,
    width integer,
    height integer,
    PRIMARY KEY (partner_id, accommodation_id, url_key)
);
CREATE INDEX ON catalogue_entries (partner_id, fetch_key);
"""

IMAGES = """
CREATE TABLE fetch_queue (             -- what is still to be fetched, or judged again from the store
    partner_id text COLLATE "C" NOT NULL,
    fetch_key uuid NOT NULL,
    url text NOT NULL,
    sha256 bytea,                      -- set: the bytes are in the store already, only the limits changed
    PRIMARY KEY (partner_id, fetch_key)
);
CREATE TABLE fetch_results (
    partner_id text COLLATE "C" NOT NULL,
    fetch_key uuid NOT NULL,
    outcome text NOT NULL CHECK (outcome IN ('available', 'rejected', 'failed')),
    reason text,
    attempts smallint NOT NULL,
    status smallint,
    sha256 bytea,
    PRIMARY KEY (partner_id, fetch_key)
);
CREATE TABLE raw_images (              -- one row a content in the store
    sha256 bytea PRIMARY KEY,
    format text NOT NULL,
    width integer NOT NULL,
    height integer NOT NULL,
    bytes bigint NOT NULL
);
CREATE TABLE fingerprint_queue (       -- contents still to be fingerprinted
    partner_id text COLLATE "C" NOT NULL,
    sha256 bytea NOT NULL,
    PRIMARY KEY (partner_id, sha256)
);
CREATE TABLE fingerprints (
    sha256 bytea NOT NULL,
    method text NOT NULL,
    width integer NOT NULL,
    height integer NOT NULL,
    sharpness double precision NOT NULL,
    brightness double precision NOT NULL,
    contrast double precision NOT NULL,
    colourfulness double precision NOT NULL,
    crop_hashes bytea NOT NULL,        -- 36 unsigned 64-bit integers, big-endian
    luma bytea NOT NULL,               -- 40 x 40 bytes
    PRIMARY KEY (sha256, method)
);
ALTER TABLE fingerprints ALTER COLUMN crop_hashes SET STORAGE PLAIN, ALTER COLUMN luma SET STORAGE MAIN;
CREATE TABLE fingerprint_failures (
    sha256 bytea NOT NULL,
    method text NOT NULL,
    reason text NOT NULL,
    PRIMARY KEY (sha256, method)
);
"""

RELEASES = """
CREATE TABLE data_releases (
    release_id text COLLATE "C" PRIMARY KEY,
    object_key text NOT NULL,
    etag text NOT NULL,
    first_seen_at timestamptz NOT NULL DEFAULT now(),
    awaited jsonb NOT NULL,            -- partner -> catalogue (version and etag) that was there when first seen
    outcome text CHECK (outcome IN ('loaded', 'unreadable')),
    decided_etag text,
    message text,
    frozen uuid,                       -- digest of the frozen members of all hotels
    hotels bigint NOT NULL DEFAULT 0,
    accommodations bigint NOT NULL DEFAULT 0,
    images bigint NOT NULL DEFAULT 0,
    rejected bigint NOT NULL DEFAULT 0,
    unknown_partners bigint NOT NULL DEFAULT 0,
    unknown_accommodations bigint NOT NULL DEFAULT 0
);
CREATE TABLE release_rejects (
    release_id text COLLATE "C" NOT NULL,
    file text NOT NULL,
    line bigint NOT NULL,
    field text NOT NULL,
    reason text NOT NULL,
    value text
);
CREATE INDEX ON release_rejects (release_id);
CREATE TABLE release_hotels (
    release_id text COLLATE "C" NOT NULL,
    bucket integer NOT NULL,           -- stable hash of hotel_id, 0..65535; a shard is a range of buckets
    hotel_id text COLLATE "C" NOT NULL,
    accommodations integer NOT NULL,
    images integer NOT NULL,
    contents_digest uuid NOT NULL,     -- of the distinct contents: all that grouping reads
    members_digest uuid NOT NULL       -- of the members with attributes: all that ranking reads
) PARTITION BY LIST (release_id);
CREATE INDEX ON release_hotels (bucket);
CREATE INDEX ON release_hotels (hotel_id);
CREATE TABLE release_images (          -- what the release sees, frozen
    release_id text COLLATE "C" NOT NULL,
    bucket integer NOT NULL,
    hotel_id text COLLATE "C" NOT NULL,
    partner_id text COLLATE "C" NOT NULL,
    accommodation_id text COLLATE "C" NOT NULL,
    url text COLLATE "C" NOT NULL,
    sha256 bytea NOT NULL,
    position integer
) PARTITION BY LIST (release_id);
CREATE INDEX ON release_images (bucket, hotel_id);
CREATE INDEX ON release_images (hotel_id);
"""

GALLERIES = """
CREATE TABLE grouped_hotels (          -- hotels whose image groups are known for a digest
    hotel_id text COLLATE "C" NOT NULL,
    group_digest uuid NOT NULL,
    PRIMARY KEY (hotel_id, group_digest)
);
CREATE TABLE image_groups (            -- one row a content of a hotel
    hotel_id text COLLATE "C" NOT NULL,
    group_digest uuid NOT NULL,
    image_group_id text COLLATE "C" NOT NULL,
    sha256 bytea NOT NULL,
    PRIMARY KEY (hotel_id, group_digest, sha256)
);
CREATE TABLE ranked_hotels (           -- hotels whose priorities are known for a digest
    hotel_id text COLLATE "C" NOT NULL,
    rank_digest uuid NOT NULL,
    PRIMARY KEY (hotel_id, rank_digest)
);
CREATE TABLE priorities (              -- one row a published image group
    hotel_id text COLLATE "C" NOT NULL,
    rank_digest uuid NOT NULL,
    position integer NOT NULL,
    image_group_id text COLLATE "C" NOT NULL,
    sha256 bytea NOT NULL,
    partner_id text COLLATE "C" NOT NULL,
    accommodation_id text COLLATE "C" NOT NULL,
    url text NOT NULL,
    width integer NOT NULL,
    height integer NOT NULL,
    score double precision NOT NULL,
    part_resolution double precision NOT NULL,
    part_sharpness double precision NOT NULL,
    part_exposure double precision NOT NULL,
    part_partner_position double precision NOT NULL,
    part_partners double precision NOT NULL,
    part_trust double precision NOT NULL,
    PRIMARY KEY (hotel_id, rank_digest, position)
);
CREATE TABLE renditions (
    sha256 bytea NOT NULL,
    recipe text COLLATE "C" NOT NULL,
    recipe_digest text NOT NULL,
    key text NOT NULL,
    width integer NOT NULL,
    height integer NOT NULL,
    bytes integer NOT NULL,
    format text NOT NULL,
    PRIMARY KEY (sha256, recipe, recipe_digest)
);
CREATE TABLE rendition_failures (
    sha256 bytea NOT NULL,
    recipes_digest text NOT NULL,
    reason text NOT NULL,
    PRIMARY KEY (sha256, recipes_digest)
);
CREATE TABLE shard_builds (            -- which stage of which shard is up to date with which input
    release_id text COLLATE "C" NOT NULL,
    shard text NOT NULL,
    stage text NOT NULL,
    input_digest text NOT NULL,
    hotels bigint NOT NULL,
    computed bigint NOT NULL,          -- hotels grouped or ranked, or renditions made, by the last run
    finished_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (release_id, shard, stage)
);
CREATE TABLE published_releases (
    release_id text COLLATE "C" PRIMARY KEY,
    input_digest text NOT NULL,
    manifest_digest text NOT NULL,
    manifest_key text NOT NULL,
    summary_key text NOT NULL,
    gallery_key text NOT NULL,
    published_at timestamptz NOT NULL DEFAULT now()
);
"""

OPERATIONS = """
CREATE TABLE gates (                   -- the last outcome of each gate of each partition
    asset text NOT NULL,
    partition_key text NOT NULL,
    gate text NOT NULL,
    input_digest text NOT NULL,
    passed boolean NOT NULL,
    accepted boolean NOT NULL DEFAULT false,
    message text NOT NULL,
    evaluated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (asset, partition_key, gate)
);
CREATE TABLE leases (                  -- who works on a partition now
    name text PRIMARY KEY,
    holder text NOT NULL,
    host text NOT NULL,
    pid integer NOT NULL,
    process_started double precision NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE TABLE stage_progress (
    stage text NOT NULL,
    partition_key text NOT NULL,
    done bigint NOT NULL,
    total bigint NOT NULL,
    started_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now(),
    finished boolean NOT NULL DEFAULT false,
    PRIMARY KEY (stage, partition_key)
);
"""


def upgrade() -> None:
    for statements in (CATALOGUES, IMAGES, RELEASES, GALLERIES, OPERATIONS):
        op.execute(statements)
