"""The gate of `image_groups`: nothing is grouped by a policy that no certificate speaks for, and all is told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import dagster as dg
import pytest
from end_to_end.fresh_worlds import fresh_world
from end_to_end.world import World
from partner_site import partner_site
from pictures import drawn, jpeg, scaled
from policy_certificates import good_certificate, keep

from image_assets.certification import certification
from image_assets.commands.accepting import accept_closed_release
from image_assets.image_groups import Policy, Requirements
from image_assets.image_release.publishing import current_release
from image_assets.partitions import SHARD_KEYS
from image_assets.pending_work import BUILD, PUBLISH
from resources.ledger.certificates import record_certificate
from resources.ledger.gates import POLICY_CERTIFIED, all_gates

POLICY = Policy(rule="talk", version=1, threshold=5.0)  # nothing built in speaks of it


@pytest.fixture
def world(postgres_url: str) -> Iterator[World]:
    """One hotel with two pictures, one of them twice; settled as far as an uncertified policy lets it."""
    with fresh_world(postgres_url) as world, partner_site() as site:
        world.methods = replace(world.methods, policy=POLICY)
        pictures = {"a": drawn(1), "b": drawn(2), "c": scaled(drawn(1), 0.6)}
        urls = [site.serve(f"/{name}.jpg", jpeg(image)) for name, image in pictures.items()]
        world.offer("alpha", "w1", [{"accommodation_id": "1", "url": url} for url in urls])
        world.release("r1", [("h1", "alpha", "1")])
        world.settle()
        yield world


def closed(world: World) -> list[str]:
    with world.ledger.connect() as connection:
        return [gate.partition_key for gate in all_gates(connection) if gate.closed and gate.gate == POLICY_CERTIFIED]


def certify(world: World, policy: Policy = POLICY, **bounds: float) -> None:
    keep(world.ledger, good_certificate(policy, world.methods.fingerprint, **bounds))


def published(world: World) -> bool:
    return current_release(world.store) is not None


def test_nothing_is_grouped_and_one_line_says_why_and_what_to_do(world: World) -> None:
    assert closed(world) == [f"r1|{shard}" for shard in SHARD_KEYS]
    assert not published(world)
    with world.ledger.connect() as connection:
        counted = connection.execute("SELECT count(*) FROM grouped_hotels").fetchone()
    assert counted == (0,)
    pending = world.pending()
    assert pending.work == []
    (line,) = pending.stopped
    assert line.startswith("gate policy_certified of image_groups r1: Images are not grouped: nothing certifies policy")
    assert "corpus evaluate" in line
    assert "accept" not in line


def test_the_check_in_the_ui_fails_and_the_other_one_is_not_asked(world: World) -> None:
    checks = {
        record.event_log_entry.dagster_event.asset_check_evaluation_data.check_name: (
            record.event_log_entry.dagster_event.asset_check_evaluation_data
        )
        for record in world.instance.get_event_records(
            dg.EventRecordsFilter(dg.DagsterEventType.ASSET_CHECK_EVALUATION)
        )
    }
    assert not checks[POLICY_CERTIFIED].passed
    assert "nothing certifies policy" in str(checks[POLICY_CERTIFIED].description)
    assert "Not asked" in str(checks["every_image_grouped"].description)


def test_a_certificate_opens_the_gate_and_is_published_with_the_release(world: World) -> None:
    certify(world)
    assert [work.job for work in world.settle()] == [BUILD] * len(SHARD_KEYS) + [PUBLISH]
    assert closed(world) == []
    current = current_release(world.store)
    assert current is not None
    summary = json.loads(world.store.get(current["summary"]))
    with world.ledger.connect() as connection:
        found = certification(connection, world.methods)
    assert found.certificate is not None
    assert summary["certificate"] == {
        "good_enough": True,
        "problem": None,
        **json.loads(json.dumps(found.certificate.content)),
    }
    assert summary["image_groups"] == 2


@pytest.mark.parametrize(
    ("policy", "bounds"),
    [(replace(POLICY, version=0), {}), (POLICY, {"upper": 2e-4}), (POLICY, {"lower": 0.96})],
    ids=["an older version", "too many false merges", "too little recall"],
)
def test_a_certificate_that_is_not_good_enough_keeps_it_closed(
    world: World, policy: Policy, bounds: dict[str, float]
) -> None:
    certify(world, policy, **bounds)
    world.settle()
    assert closed(world) == [f"r1|{shard}" for shard in SHARD_KEYS]
    assert not published(world)
    world.methods = replace(world.methods, required=Requirements(max_false_merge_rate=1e-3, min_recall=0.9))
    world.settle()
    assert published(world) == (policy == POLICY)


def test_a_worse_certificate_stops_what_comes_later_and_nothing_that_is_built(world: World) -> None:
    certify(world)
    world.settle()
    certify(world, upper=0.5)
    assert (world.pending().work, world.pending().stopped) == ([], [])
    world.release("r2", [("h1", "alpha", "1"), ("h2", "alpha", "2")])
    world.settle()
    assert len(world.pending().stopped) == 1
    current = current_release(world.store)
    assert current is not None
    assert current["release_id"] == "r1"


def test_a_release_that_is_published_while_its_certificate_is_refused_says_so_and_why(world: World) -> None:
    certify(world)
    for work in world.pending().work:
        assert world.materialise(work).success
    certify(world, upper=0.5)
    assert [work.job for work in world.settle()] == [PUBLISH]
    current = current_release(world.store)
    assert current is not None
    told = json.loads(world.store.get(current["summary"]))["certificate"]
    assert not told["good_enough"]
    assert "at most 0.0001 of different pictures may be merged" in told["problem"]
    assert told["false_merges"]["upper"] == 0.5


def test_a_certificate_of_an_earlier_release_of_the_package_proves_nothing_and_says_what_to_do(world: World) -> None:
    content = dict(good_certificate(POLICY, world.methods.fingerprint).content)
    del content["confused_pictures"]
    with world.ledger.connect() as connection:
        record_certificate(connection, "an old one", world.methods.fingerprint, content, "report.html")
    world.settle()
    assert not published(world)
    (line,) = world.pending().stopped
    assert "from an earlier release of this package" in line
    assert "evaluate it again" in line
    certify(world)
    world.settle()
    assert published(world)


def test_nobody_lets_it_through_by_hand(world: World) -> None:
    refused = accept_closed_release(world.ledger, "r1")
    assert refused is not None
    assert "cannot be accepted" in refused
    assert closed(world)


def test_a_built_in_certificate_lets_a_newcomer_start(postgres_url: str) -> None:
    with fresh_world(postgres_url) as world, world.ledger.connect() as connection:
        found = certification(connection, world.methods)
    assert found.problem is None
    assert found.certificate is not None
    assert found.certificate.policy == world.methods.policy
    assert "is certified" in found.line
