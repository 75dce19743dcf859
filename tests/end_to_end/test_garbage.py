"""`image-assets gc` on a whole world: what it collects, what it keeps, and what others find afterwards."""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from end_to_end.fresh_worlds import fresh_database, world_at, write_partners
from end_to_end.garbage_world import litter
from end_to_end.killing import assert_rows_have_their_objects
from end_to_end.world import World
from partner_site import PartnerSite
from pictures import drawn, jpeg
from policy_certificates import good_certificate, keep
from s3_server import s3_server

from image_assets.commands.garbage import Collected, GarbageError, collect_garbage
from image_assets.image_release.publishing import CURRENT
from resources.ledger.leases import LeaseHeld, lease
from resources.object_store import raw_image_key

AT_ONCE = timedelta(0)


@pytest.fixture
def world(world: World) -> World:
    """Three recipes make shorter tests than fourteen; the partner may drop pictures as it likes."""
    world.methods = replace(world.methods, recipes=world.methods.recipes[:3])
    world.choose("alpha", max_deleted_share=1.0)
    return world


def pictures(site: PartnerSite, seeds: Iterable[int]) -> list[str]:
    return [site.serve(f"/{seed}.jpg", jpeg(drawn(seed))) for seed in seeds]


def offer(world: World, version: str, urls: list[str]) -> None:
    """The partner's whole catalogue: one accommodation with these pictures."""
    world.offer("alpha", version, [{"accommodation_id": "1", "url": url} for url in urls])


def publish(world: World, release: str) -> set[str]:
    """Publish a release of that one hotel; the keys of all its renditions."""
    world.release(release, [("H1", "alpha", "1")])
    world.settle()
    assert world.pending().stopped == []
    return {rendition["key"] for row in world.manifest() for rendition in row["renditions"]}


def collect(world: World, grace: timedelta = AT_ONCE, delete: bool = True, originals: bool = False) -> Collected:
    return collect_garbage(world.store, world.ledger, world.methods, grace, delete=delete, originals=originals)


def keys(world: World, folder: str) -> set[str]:
    return {item.key for item in world.store.objects(folder)}


def found(collected: Collected) -> dict[str, int]:
    return {f"{each.kind} {each.detail}".strip(): each.count for each in collected.found}


def count(world: World, query: str) -> int:
    with world.ledger.connect() as connection:
        row = connection.execute(query).fetchone()  # type: ignore[call-overload]
        return int(row[0])


def everything(world: World) -> tuple[object, ...]:
    """All rows of the ledger and all objects of the store."""
    with world.ledger.connect() as connection:
        tables = connection.execute(
            """SELECT relname::text FROM pg_class WHERE relnamespace = 'image_ledger'::regnamespace AND relkind = 'r'
               ORDER BY 1"""
        ).fetchall()
        rows = [
            sorted(map(repr, connection.execute(f"SELECT * FROM {name}").fetchall()))  # type: ignore[call-overload]
            for (name,) in tables
        ]
    folders = ("raw", "renditions", "image-releases")
    return tables, rows, [sorted((item.key, item.etag) for item in world.store.objects(f)) for f in folders]


def test_a_removed_recipe_leaves_its_files_until_gc_which_takes_them_and_nothing_else(
    world: World, site: PartnerSite
) -> None:
    offer(world, "w1", pictures(site, range(2)))
    publish(world, "r1")
    before = keys(world, "renditions")
    removed, *rest = world.methods.recipes
    world.methods = replace(world.methods, recipes=tuple(rest))
    wanted = publish(world, "r1")
    assert keys(world, "renditions") == before, "removing a recipe deletes nothing"

    at_first = everything(world)
    dry = collect(world, delete=False)
    assert found(dry) == {f"rendition {removed.name}": 2, "image release r1": 3}
    assert everything(world) == at_first, "a dry run changes nothing"
    assert found(collect(world)) == found(dry)
    assert keys(world, "renditions") == before, "what is found is only marked"
    assert [(each.new, each.due) for each in collect(world, delete=False).found] == [(0, 3), (0, 2)]
    assert collect(world).deleted_objects == 5
    assert keys(world, "renditions") == wanted
    assert world.settle() == []
    assert collect(world).found == ()


def test_kept_older_releases_stay_complete_and_those_before_them_go(world: World, site: PartnerSite) -> None:
    manifests = {}
    for number in range(1, 6):
        offer(world, f"w{number}", pictures(site, (0, number)))
        # Each release has a recipe of its own, and a picture that no other shows.
        first, *rest = world.methods.recipes
        world.methods = replace(world.methods, recipes=(replace(first, quality=50 + number), *rest))
        publish(world, f"r{number}")
        manifests[f"r{number}"] = world.manifest_bytes()
    assert collect(world).kept == ("r3", "r4", "r5")
    deleted = collect(world, originals=True)
    assert deleted.deleted_objects

    for release in ("r3", "r4", "r5"):
        rows = pq.read_table(io.BytesIO(manifests[release])).to_pylist()
        assert len(rows) == 2
        listed = [rendition["key"] for row in rows for rendition in row["renditions"]]
        originals = [raw_image_key(member["sha256"]) for row in rows for member in row["members"]]
        assert len(listed) == 6
        assert world.store.missing([*listed, *originals]) == []
    assert {key.split("/")[1] for key in keys(world, "image-releases")} == {"r3", "r4", "r5", "current.json"}
    assert len(keys(world, "raw")) == 4
    assert len(keys(world, "renditions")) == 4 * 2 + 2 * 3, "two pictures by the recipe of each release"
    for table, rows_left in {"grouped_hotels": 3, "image_groups": 6, "ranked_hotels": 3, "priorities": 6}.items():
        assert count(world, f"SELECT count(*) FROM {table}") == rows_left
    assert count(world, "SELECT count(*) FROM fingerprints") == 4
    assert_rows_have_their_objects(world.ledger, world.store)
    assert collect(world, originals=True).found == ()
    assert world.settle() == []


def test_originals_go_only_when_asked_for_and_a_picture_that_comes_back_is_fetched_again(
    world: World, site: PartnerSite
) -> None:
    urls = pictures(site, range(2))
    offer(world, "w1", urls)
    world.settle()
    offer(world, "w2", urls[:1] + pictures(site, (7,)))
    world.settle()
    assert found(collect(world)) == {"original": 1}
    collect(world)
    assert len(keys(world, "raw")) == 3, "what was fetched is kept"
    assert collect(world, originals=True).deleted_objects == 1
    assert len(keys(world, "raw")) == 2
    offer(world, "w3", urls)
    publish(world, "r1")
    assert sorted(world.galleries()["H1"]) == sorted(urls)
    assert site.requests["/1.jpg"] == 2
    assert_rows_have_their_objects(world.ledger, world.store)


def test_nothing_goes_before_the_grace_nor_beneath_a_run_that_began_before_it_was_marked(
    world: World, site: PartnerSite
) -> None:
    offer(world, "w1", pictures(site, range(2)))
    publish(world, "r1")
    world.methods = replace(world.methods, recipes=world.methods.recipes[1:])
    publish(world, "r1")
    collect(world)
    assert collect(world, grace=timedelta(hours=1)).deleted_objects == 0
    with world.ledger.connect() as connection:
        connection.execute("DELETE FROM tombstones")
    with lease(world.ledger, "shard:of a long run", "run"):
        collect(world)
        assert collect(world).deleted_objects == 0
    assert collect(world).deleted_objects == 5


def test_objects_that_no_row_knows_are_found_once_they_are_old_and_foreign_ones_are_left_alone(
    world: World, site: PartnerSite
) -> None:
    offer(world, "w1", pictures(site, range(1)))
    publish(world, "r1")
    sha256 = "ab" * 32
    lost = [f"raw/ab/{sha256}", f"renditions/gone/ab/{sha256}-0123456789ab.jpg"]
    foreign = ["raw/ab/notes.txt", "renditions/readme.md", "image-releases/readme.md"]
    half_published = "image-releases/r1/0123/manifest.parquet"
    for key in (*lost, half_published, *foreign):
        world.store.put(key, b"left by a killed run")
    assert collect(world, grace=timedelta(hours=1)).found == ()
    assert found(collect(world)) == {
        "without a row raw": 1,
        "without a row renditions": 1,
        "image release r1": 1,
    }
    collect(world)
    assert world.store.missing([*lost, half_published, *foreign]) == [*lost, half_published]
    assert_rows_have_their_objects(world.ledger, world.store)


def test_fingerprints_of_an_old_method_go_and_are_made_again_when_it_comes_back(
    world: World, site: PartnerSite
) -> None:
    offer(world, "w1", pictures(site, range(2)))
    publish(world, "r1")
    dhash = world.methods
    world.methods = replace(dhash, algorithm="phash")
    keep(world.ledger, good_certificate(world.methods.policy, world.methods.fingerprint))
    publish(world, "r1")
    assert found(collect(world)) == {f"fingerprints {dhash.fingerprint}": 2, "image groups": 1, "priorities": 1}
    assert collect(world).deleted_rows == 4
    assert count(world, "SELECT count(*) FROM fingerprints") == 2
    world.methods = dhash
    assert len(publish(world, "r2")) == 6


def test_going_back_to_recipes_whose_renditions_were_collected_makes_them_again(
    world: World, site: PartnerSite
) -> None:
    """The shards still passed for built by these recipes: nothing else was built meanwhile."""
    offer(world, "w1", pictures(site, range(2)))
    world.release("r1", [("H1", "alpha", "1")])
    for work in ("ingest_catalogue", "load_data_release", "build_hotel_shard", "build_hotel_shard"):
        world.materialise(next(item for item in world.pending().work if item.job == work))
    assert [item.job for item in world.pending().work] == ["publish_image_release"]
    chosen = world.methods
    world.methods = replace(chosen, recipes=chosen.recipes[1:])
    collect(world)
    collect(world)
    world.methods = chosen
    world.settle()
    assert [len(row["renditions"]) for row in world.manifest()] == [3, 3]
    assert_rows_have_their_objects(world.ledger, world.store)


def test_where_it_cannot_tell_what_is_kept_it_refuses_and_collects_nothing(world: World, site: PartnerSite) -> None:
    offer(world, "w1", pictures(site, range(1)))
    publish(world, "r1")
    world.store.put("renditions/gone/ab/" + "ab" * 32 + "-0123456789ab.jpg", b"unused")
    with lease(world.ledger, "gc", "another"), pytest.raises(LeaseHeld):
        collect(world)
    [manifest] = [key for key in keys(world, "image-releases") if key.endswith(".parquet")]
    content = world.store.get(manifest)
    world.store.put(manifest, b"damaged")
    with pytest.raises(GarbageError, match="release r1 is kept"):
        collect(world)
    world.store.put(manifest, content)
    with world.ledger.connect() as connection:
        connection.execute("DELETE FROM published_releases")
    with pytest.raises(GarbageError, match=CURRENT):
        collect(world)
    assert count(world, "SELECT count(*) FROM tombstones") == 0


@pytest.mark.long
def test_on_s3_it_takes_all_that_nothing_refers_to_and_leaves_a_kept_release_whole(
    postgres_url: str, site: PartnerSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over a socket, with more objects than one batch deletes; another client looks at what is left."""
    with s3_server() as server, fresh_database(postgres_url) as database_url:
        server.use(monkeypatch)
        bucket = server.new_bucket()

        def listed() -> set[str]:
            pages = server.client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
            return {item["Key"].removeprefix("images/") for page in pages for item in page["Contents"]}

        world = world_at(f"s3://{bucket}/images", database_url, write_partners(tmp_path / "partners.yaml", ["alpha"]))
        removed, *rest = world.methods.recipes[:3]
        world.methods = replace(world.methods, recipes=(removed, *rest))
        offer(world, "w1", pictures(site, range(2)))
        before = publish(world, "r1")
        first_publication = {key for key in listed() if key.startswith("image-releases/r1/")}
        world.methods = replace(world.methods, recipes=tuple(rest))
        unused = (before - publish(world, "r1")) | first_publication
        used = listed() - unused
        litter(world, range(400))
        littered = listed() - used - unused

        dry = collect(world, delete=False)
        assert found(dry) == {
            "image release r1": 3,
            "original": 400,
            f"rendition {removed.name}": 2,
            "rendition gone": 400,
            "without a row renditions": 200,
            "image groups": 401,  # of hotels in no release
        }
        assert listed() == used | unused | littered, "a dry run deletes nothing"
        collect(world)
        assert listed() == used | unused | littered, "what is found is only marked"
        assert collect(world).deleted_objects == 5 + 600
        assert listed() == used | {key for key in littered if key.startswith("raw/")}, "what was fetched is kept"
        assert collect(world, originals=True).deleted_objects == 400
        assert listed() == used
        assert world.settle() == []
        assert_rows_have_their_objects(world.ledger, world.store)


def test_every_table_that_names_contents_is_known_to_gc(world: World) -> None:
    """A new one keeps its originals (`kept_objects`), or goes with what it belongs to (`garbage`, `unused_results`)."""
    with world.ledger.connect() as connection:
        rows = connection.execute(
            """SELECT table_name || '.' || column_name FROM information_schema.columns
               WHERE table_schema = 'image_ledger' AND data_type = 'bytea'
                   AND table_name NOT LIKE 'release_images_%'
                   AND column_name NOT IN ('crop_hashes', 'luma', 'preview')"""
        ).fetchall()
    assert {row[0] for row in rows} == {
        *("fetch_results.sha256", "fetch_queue.sha256", "fingerprint_queue.sha256", "release_images.sha256"),
        *("corpus_pictures.source", "pair_decisions.a", "pair_decisions.b", "raw_images.sha256"),
        *("fingerprints.sha256", "fingerprint_failures.sha256", "content_looks.sha256", "image_groups.sha256"),
        *("image_group_links.a", "image_group_links.b", "priorities.sha256", "renditions.sha256"),
        *("rendition_failures.sha256", "release_decisions.a", "release_decisions.b"),
        *("release_placeholders.sha256", "release_placeholders.placeholder"),
    }
