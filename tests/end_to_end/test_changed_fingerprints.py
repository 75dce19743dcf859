"""Another fingerprint algorithm under a loaded release: nothing is grouped by half the fingerprints."""

from __future__ import annotations

from dataclasses import replace

from end_to_end.world import World
from partner_site import PartnerSite
from pictures import drawn, jpeg
from policy_certificates import good_certificate, keep

from image_assets.partitions import BUCKETS, SHARD_KEYS
from image_assets.pending_work import BUILD, INGEST, Work


def test_shards_wait_for_the_new_fingerprints_and_one_built_too_early_by_hand_does_no_harm(
    world: World, site: PartnerSite
) -> None:
    world.offer(
        "alpha",
        "w1",
        [{"accommodation_id": "1", "url": site.serve(f"/{n}.jpg", jpeg(drawn(n)))} for n in range(2)],
    )
    world.release("r1", [("H1", "alpha", "1")])
    world.settle()
    before = world.galleries()

    world.methods = replace(world.methods, algorithm="phash")
    keep(world.ledger, good_certificate(world.methods.policy, world.methods.fingerprint))
    pending = world.pending()
    assert [work.job for work in pending.work] == [INGEST]
    assert "alpha" in pending.waiting[0]

    with world.ledger.connect() as connection:
        (bucket,) = connection.execute("SELECT bucket FROM release_hotels").fetchone() or ()
    too_early = Work(BUILD, f"r1|{SHARD_KEYS[bucket * len(SHARD_KEYS) // BUCKETS]}", "", 0)
    assert not world.materialise(too_early).success, "its gate is closed"
    with world.ledger.connect() as connection:
        assert connection.execute("SELECT count(*) FROM grouped_hotels").fetchone() == (1,), "the old method's"
        assert connection.execute("SELECT count(*) FROM ranked_hotels").fetchone() == (1,)

    world.settle()
    assert "materialise" not in " ".join(world.pending().waiting)
    assert world.materialise(too_early).success, "with the fingerprints its gate opens"
    world.settle()
    assert world.pending().stopped == []
    assert world.galleries() == before
    assert sum(site.requests.values()) == 2
