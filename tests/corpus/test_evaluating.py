"""`corpus evaluate` and the asset `dedup_quality`: from the ledger's pairs to a kept certificate and a report."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest
from corpus.stock import METHODS, load_hotels, write_photographs
from end_to_end.fresh_worlds import fresh_world
from partner_site import partner_site
from pictures import centre_crop, drawn, jpeg

from image_assets.corpus.building import build_corpus
from image_assets.corpus.evaluating import NoPairs, evaluate_corpus, read_corpus
from image_assets.corpus.importing import import_pairs
from image_assets.dedup_quality.asset import dedup_quality
from image_assets.dedup_quality.corpus import DECIDED, is_held_out
from image_assets.image_groups import ALIGNED_POLICY, Requirements
from image_assets.image_groups.certificate import certificate_for, certificate_of
from resources.ledger import Ledger
from resources.ledger.certificates import own_certificates
from resources.ledger.decisions import record_decision
from resources.object_store import ObjectStore

LENIENT = replace(METHODS, policy=ALIGNED_POLICY, required=Requirements(max_false_merge_rate=0.2, min_recall=0.5))


@pytest.fixture
def folder(ledger: Ledger, store: ObjectStore, tmp_path: Path) -> Path:
    """Twelve photographs, and the corpus that was built of them."""
    folder = write_photographs(tmp_path / "photos", 12)
    build_corpus(ledger, store, METHODS, folder, 100, 0, print, (31, 40))
    return folder


def test_the_certificate_is_kept_and_opens_the_gate(ledger: Ledger, store: ObjectStore, folder: Path) -> None:
    evaluated = evaluate_corpus(ledger, store, LENIENT)
    assert evaluated.problem is None
    with ledger.connect() as connection:
        own = [certificate_of(content) for content in own_certificates(connection)]
    assert own == [evaluated.certificate]
    assert certificate_for(LENIENT.policy, LENIENT.fingerprint, own) == evaluated.certificate
    page = store.get(evaluated.report_key).decode()
    assert "The gate is open" in page
    assert evaluated.certificate.digest in page


def test_evaluating_again_changes_nothing(ledger: Ledger, store: ObjectStore, folder: Path) -> None:
    first = evaluate_corpus(ledger, store, LENIENT)
    page = store.get(first.report_key)
    assert evaluate_corpus(ledger, store, LENIENT) == first
    assert store.get(first.report_key) == page
    with ledger.connect() as connection:
        assert len(own_certificates(connection)) == 1


def test_too_few_pairs_prove_nothing_however_good_they_look(ledger: Ledger, store: ObjectStore, folder: Path) -> None:
    strict = replace(LENIENT, required=Requirements())
    assert "at most 0.0001 of different pictures may be merged" in (
        evaluate_corpus(ledger, store, strict).problem or ""
    )


def test_labels_of_people_overrule_generated_ones(ledger: Ledger, store: ObjectStore, folder: Path) -> None:
    before = evaluate_corpus(ledger, store, LENIENT)
    lines = [f"{a}.jpg,{b}.jpg,same" for a in range(12) for b in range(a)]
    (folder / "all-the-same.csv").write_text("\n".join(["a,b,label", *lines]))
    import_pairs(ledger, store, LENIENT, folder / "all-the-same.csv")
    with pytest.raises(NoPairs):
        evaluate_corpus(ledger, store, LENIENT)
    (folder / "all-the-same.csv").write_text("a,b,label\n0.jpg,1.jpg,same\n")
    import_pairs(ledger, store, LENIENT, folder / "all-the-same.csv")
    after = evaluate_corpus(ledger, store, LENIENT)
    assert after.certificate.corpus != before.certificate.corpus


def test_what_people_decided_in_the_pipeline_is_part_of_the_corpus(postgres_url: str, tmp_path: Path) -> None:
    with fresh_world(postgres_url) as world, partner_site() as site:
        twin = centre_crop(drawn(1), 0.1)
        sha256s = load_hotels(world, site, {"h1": [jpeg(drawn(1)), jpeg(drawn(2)), jpeg(twin)]})["h1"]
        write_photographs(tmp_path / "photos", 8, first=20)
        build_corpus(world.ledger, world.store, LENIENT, tmp_path / "photos", 100, 0, print, (31, 40))
        with world.ledger.connect() as connection:
            for other, same in ((sha256s[1], False), (sha256s[2], False)):
                record_decision(connection, *sorted((sha256s[0], other)), same=same, note=None)
            corpus = read_corpus(connection, LENIENT)
        evaluated = evaluate_corpus(world.ledger, world.store, LENIENT)
    decided = corpus.kinds == DECIDED
    assert decided.sum() == 2
    # Only what is held out is judged: of two decisions as many as have both pictures there, and the copy is merged.
    held_out = [is_held_out(sha256s[0]) and is_held_out(other) for other in sha256s[1:]]
    assert (evaluated.certificate.decided.hits, evaluated.certificate.decided.pairs) == (held_out[0], sum(held_out))
    assert evaluated.between == sum(is_held_out(sha256s[0]) != is_held_out(other) for other in sha256s[1:])


def test_a_corpus_of_another_fingerprint_method_says_what_to_do(
    ledger: Ledger, store: ObjectStore, folder: Path
) -> None:
    with pytest.raises(NoPairs, match=r"measured by another method; build or import them again"):
        evaluate_corpus(ledger, store, replace(LENIENT, algorithm="phash"))


def test_an_empty_corpus_says_what_to_do(ledger: Ledger, store: ObjectStore) -> None:
    with pytest.raises(NoPairs, match="image-assets corpus build"):
        evaluate_corpus(ledger, store, LENIENT)


def test_the_asset_shows_figures_and_a_link_to_the_report(ledger: Ledger, store: ObjectStore, folder: Path) -> None:
    result = dg.materialize([dedup_quality], resources={"ledger": ledger, "store": store, "methods": LENIENT})
    (event,) = result.asset_materializations_for_node("dedup_quality")
    shown = {name: value.value for name, value in event.metadata.items()}
    expected = evaluate_corpus(ledger, store, LENIENT)
    assert str(shown["report"]).endswith(expected.report_key)
    assert (shown["gate_open"], shown["recall_at_least"]) == (True, expected.certificate.recall.lower)
    assert shown["false_merge_rate_at_most"] == expected.certificate.false_merges.upper


def test_the_asset_says_why_there_is_nothing_to_judge(ledger: Ledger, store: ObjectStore) -> None:
    with pytest.raises(dg.Failure, match="image-assets corpus build"):
        dg.materialize([dedup_quality], resources={"ledger": ledger, "store": store, "methods": LENIENT})
