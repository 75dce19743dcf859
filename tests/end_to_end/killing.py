"""What is needed to judge a killed pipeline: two weeks of work, what was committed when, what must hold afterwards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from end_to_end.world import World
from partner_site import PartnerSite
from pictures import centre_crop, drawn, jpeg, scaled

from resources.ledger import Ledger
from resources.object_store import ObjectStore, raw_image_key


def weeks(site: PartnerSite) -> list[Callable[[World], None]]:
    """Two weeks of catalogues and releases; in the second, partners add, change and drop pictures, hotels change."""
    a, b, c = (f"/{number}" for number in range(3))
    kept = [site.serve(f"{a}/{seed}.jpg", jpeg(drawn(seed))) for seed in range(4)]
    gone = site.serve(f"{a}/gone.jpg", jpeg(drawn(10)))
    small = [site.serve(f"{b}/{seed}.jpg", jpeg(scaled(drawn(seed), 0.6))) for seed in range(5)]
    cropped = [site.serve(f"{c}/{seed}.jpg", jpeg(centre_crop(drawn(seed), 0.2))) for seed in (1, 6, 7)]
    trouble = [site.serve(f"{c}/no.jpg", 404), site.serve(f"{c}/broken.jpg", 500), site.serve(f"{c}/x.jpg", b"<html>")]

    def first(world: World) -> None:
        offer(world, "w1", {"alpha": [*kept[:3], gone], "$gamma": small[:4], "Ünï": [*cropped[:2], *trouble]})
        world.release("r1", [("H1", "alpha", "1"), ("H1", "$gamma", "1"), ("H2", "Ünï", "1"), ("H3", "alpha", "0123")])

    def second(world: World) -> None:
        # The picture behind the first one's URL changes.
        site.serve(f"{a}/0.jpg", jpeg(drawn(20)))
        offer(world, "w2", {"alpha": kept, "$gamma": small[1:], "Ünï": [*cropped, *trouble]}, {kept[0]: "2"})
        world.release("r2", [("H1", "alpha", "1"), ("H2", "$gamma", "1"), ("H2", "Ünï", "1"), ("H3", "alpha", "0123")])

    return [first, second]


def offer(world: World, version: str, urls: dict[str, list[str]], changed: Mapping[str, str] | None = None) -> None:
    """Each partner's first picture also belongs to a second accommodation."""
    for partner, listed in urls.items():
        entries = [("1", url) for url in listed] + [("0123", listed[0])]
        world.offer(
            partner,
            version,
            [
                {"accommodation_id": accommodation, "url": url, "version": (changed or {}).get(url, "1")}
                for accommodation, url in entries
            ],
        )


@dataclass(frozen=True)
class Committed:
    """The fetch results that were in the ledger at a moment, and the requests that the sites had counted."""

    versions: dict[str, str]
    entries: set[tuple[str, str]]
    results: list[tuple[str, str, str, str]]  # partner, fetch key, url, outcome
    requests: Counter[str]


def committed(ledger: Ledger, site: PartnerSite) -> Committed:
    """What is committed now."""
    requests = Counter(site.requests)
    with ledger.connect() as connection, connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        versions = connection.execute("SELECT partner_id, version FROM partner_catalogues").fetchall()
        entries = connection.execute("SELECT partner_id, fetch_key::text, url FROM catalogue_entries").fetchall()
        results = connection.execute("SELECT partner_id, fetch_key::text, outcome FROM fetch_results").fetchall()
    urls = {(partner, key): url for partner, key, url in entries}
    return Committed(
        dict(versions),
        set(urls),
        [(partner, key, urls[partner, key], outcome) for partner, key, outcome in results],
        requests,
    )


def assert_not_asked_again(before: Committed, now: Committed, site: PartnerSite) -> None:
    """Nothing that was committed `before` was requested since, unless a new catalogue asks for it."""
    for partner, key, url, outcome in before.results:
        new_catalogue = now.versions[partner] != before.versions[partner]
        if new_catalogue and (outcome == "failed" or (partner, key) not in now.entries):
            continue
        path = url.removeprefix(site.url(""))
        assert now.requests[path] == before.requests[path], f"{url} was {outcome} and is requested again"


def assert_rows_have_their_objects(ledger: Ledger, store: ObjectStore) -> None:
    """No row refers to an object that is not in the store."""
    with ledger.connect() as connection:
        contents = connection.execute("SELECT encode(sha256, 'hex') FROM raw_images").fetchall()
        renditions = connection.execute("SELECT key FROM renditions").fetchall()
        published = connection.execute("SELECT manifest_key, summary_key, gallery_key FROM published_releases")
        keys = [raw_image_key(row[0]) for row in contents] + [row[0] for row in renditions]
        assert store.missing([*keys, *(key for row in published for key in row)]) == []
