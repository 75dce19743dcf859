"""A ledger and a store full of garbage, without a pipeline that made it; and children that collect it and may die."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from pathlib import Path

from end_to_end.driven_world import Places, watch
from end_to_end.fresh_worlds import world_at
from end_to_end.world import World

from image_assets.commands.garbage import Collected, collect_garbage
from resources.ledger import rendering
from resources.ledger.rendering import RenditionRow
from resources.object_store import raw_image_key

AT_ONCE = timedelta(0)


def collect(world: World) -> Collected:
    """Mark and delete, originals too, without any grace: what an earlier call marked goes."""
    return collect_garbage(world.store, world.ledger, world.methods, AT_ONCE, delete=True, originals=True)


def rendition(number: int) -> RenditionRow:
    """The rendition of a content that nothing publishes."""
    sha256 = hashlib.sha256(str(number).encode()).hexdigest()
    key = f"renditions/gone/{sha256[:2]}/{sha256}-0123456789ab.jpg"
    return RenditionRow(sha256, "gone", "0123456789ab", key, 4, 3, len(key), "jpeg", 85, False)


def litter(world: World, numbers: range) -> None:
    """Renditions and originals of nobody, results of hotels in no release, objects without rows."""
    made = [rendition(number) for number in numbers]
    for row in made:
        world.store.put(row.key, row.key.encode())
        world.store.put(raw_image_key(row.sha256), b"original")
    for row in made[::2]:
        world.store.put(row.key.replace("0123456789ab", "ba9876543210"), b"left by a killed run")
    with world.ledger.connect() as connection:
        rendering.record_renditions(connection, made, [], "recipes")
        connection.cursor().executemany(
            """INSERT INTO raw_images (sha256, format, width, height, bytes) VALUES (decode(%s, 'hex'), 'JPEG', 4, 3, 8)
               ON CONFLICT DO NOTHING""",
            [(row.sha256,) for row in made],
        )
        connection.execute(
            """INSERT INTO grouped_hotels (hotel_id, group_digest, image_groups, links, weak_groups, split_links,
                   disobeyed)
               SELECT 'H' || n, md5('')::uuid, 0, 0, 0, 0, 0 FROM generate_series(%s::int, %s::int) AS n""",
            [numbers.start, numbers.stop],
        )
        connection.execute("INSERT INTO fingerprint_methods VALUES ('old') ON CONFLICT DO NOTHING")


def collect_until_killed(
    store_url: str, database_url: str, partners_file: Path, die_at: tuple[str, int] | None, trace: Path | None
) -> None:
    """What a child does: collect; die at the n-th passing of a place, or write how often each was passed."""
    places = Places(*die_at) if die_at else Places()
    watch(places)
    collect(world_at(store_url, database_url, partners_file))
    if trace is not None:
        trace.write_text(json.dumps(places.passed))
