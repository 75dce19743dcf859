"""`image-assets corpus evaluate` and the asset `dedup_quality`: judge the policy, keep certificate and report.

Belongs here: reading the corpus, writing what came of it. Does not belong here: the counting and the page
(`dedup_quality`), the gate (`image_groups.certificate`).
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from PIL import UnidentifiedImageError

from image_assets.dedup_quality.corpus import (
    DECIDED,
    Corpus,
    CorpusPicture,
    LabelledPair,
    labelled_corpus,
    picture_key,
)
from image_assets.dedup_quality.evaluation import Mix, evaluate
from image_assets.dedup_quality.making import small_jpeg
from image_assets.dedup_quality.report import render_report, worst_pairs
from image_assets.image_groups.certificate import Certificate, shortcoming
from image_assets.methods import Methods
from image_assets.shards import whole_release
from resources.ledger import Connection, Ledger, certificates, corpus
from resources.ledger.decisions import pair_decisions
from resources.ledger.releases import newest_loaded
from resources.object_store import ObjectStore, raw_image_key

_HOTELS_OF_THE_MIX = 20_000


class NoPairs(RuntimeError):
    """The corpus has nothing to judge by; the message says what to do."""


@dataclass(frozen=True)
class Evaluated:
    """A new certificate, where its report lies, and why it does not open the gate (None: it does).

    left_out: pictures that another fingerprint method measured. overruled: labels that a stronger one contradicts.
    between: pairs with a picture in each half, which take part in nothing.
    """

    certificate: Certificate
    report_key: str
    problem: str | None
    left_out: int
    overruled: int
    between: int


def evaluate_corpus(ledger: Ledger, store: ObjectStore, methods: Methods) -> Evaluated:
    """Judge the policy by the held-out half of the corpus; the report is stored first, then the certificate.

    Raises NoPairs when that half lacks same pairs or different ones.
    """
    with ledger.connect() as connection:
        known = read_corpus(connection, methods)
        left_out = corpus.count_pictures_of_other_methods(connection, methods.fingerprint)
        mix = read_mix(connection, methods)
    held_out_labels = set(known.same[known.held_out].tolist())
    if held_out_labels != {True, False}:
        raise NoPairs(_advice(methods, left_out))
    evaluation = evaluate(known, methods.policy, methods.fingerprint, mix)
    certificate = evaluation.certificate
    problem = shortcoming(methods.policy, methods.fingerprint, certificate, methods.required)
    shown = {
        picture.key: picture
        for pairs in worst_pairs(known, evaluation)
        for pair in pairs
        for picture in (pair.a, pair.b)
    }
    report_key = f"dedup-quality/{certificate.digest}/report.html"
    with ledger.connect() as connection:
        previews = corpus.previews(connection, sorted(shown)) | _previews_of_originals(store, shown)
        page = render_report(known, evaluation, methods.required, problem, previews)
        store.put(report_key, page.encode())
        certificates.record_certificate(
            connection, certificate.digest, methods.fingerprint, certificate.content, report_key
        )
    return Evaluated(certificate, report_key, problem, left_out, known.overruled, known.between)


def _previews_of_originals(store: ObjectStore, pictures: Mapping[str, CorpusPicture]) -> dict[str, bytes]:
    """Small pictures of those contents that only the pipeline has: they were decided on, and are in no built corpus."""
    found = {}
    for key, picture in pictures.items():
        if not picture.edit:
            with suppress(FileNotFoundError, UnidentifiedImageError):
                found[key] = small_jpeg(store.get(raw_image_key(picture.source)))
    return found


def read_corpus(connection: Connection, methods: Methods) -> Corpus:
    """All labels that the ledger has, with the fingerprints of the present method."""
    pictures = {
        row.picture: CorpusPicture(row.picture, row.source, row.edit, row.hotel_id, row.name, row.crop_hashes, row.luma)
        for row in corpus.corpus_pictures(connection, methods.fingerprint)
    }
    pairs = [
        LabelledPair(row.a, row.b, row.same, row.kind, row.origin, row.detail)
        for row in corpus.corpus_pairs(connection)
    ]
    decided = pair_decisions(connection)
    contents = sorted({sha256 for decision in decided for sha256 in (decision.a, decision.b)})
    for row in corpus.contents(connection, contents, methods.fingerprint):
        key = picture_key(row.sha256)
        pictures.setdefault(
            key, CorpusPicture(key, row.sha256, "", None, f"sha256 {row.sha256}", row.crop_hashes, row.luma)
        )
    for decision in decided:
        a, b = sorted((picture_key(decision.a), picture_key(decision.b)))
        pairs.append(LabelledPair(a, b, decision.same, DECIDED, "people"))
    return labelled_corpus(list(pictures.values()), pairs)


def read_mix(connection: Connection, methods: Methods) -> Mix | None:
    """The pairs inside the hotels of the newest loaded release; None when none of them is grouped."""
    release_id = newest_loaded(connection)
    if release_id is None:
        return None
    hotels, same, different = corpus.pair_mix(connection, whole_release(release_id, methods), _HOTELS_OF_THE_MIX)
    return Mix(hotels, same, different) if hotels else None


def _advice(methods: Methods, left_out: int) -> str:
    if left_out:
        return (
            f"the corpus holds no pairs with {methods.fingerprint} fingerprints: its {left_out:,} pictures were "
            "measured by another method; build or import them again"
        )
    return "the corpus holds no same and different pairs that are held out: image-assets corpus build makes some"
