"""The report on a policy as one HTML page: figures with their bounds, charts, the worst mistakes as pictures.

Pure: an evaluation and small pictures go in, the page comes out; it needs nothing from elsewhere. Belongs here: what
the page shows. Does not belong here: counting (`evaluation`), drawing (`charts`).
"""

from __future__ import annotations

import base64
import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import islice
from urllib.parse import quote

import jinja2
import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray
from PIL import Image

from image_assets.dedup_quality import charts
from image_assets.dedup_quality.bounds import trials_for
from image_assets.dedup_quality.corpus import DECIDED, Corpus, CorpusPicture
from image_assets.dedup_quality.drawn_edits import MIRRORED
from image_assets.dedup_quality.evaluation import Evaluation
from image_assets.fingerprints import unpack_luma
from image_assets.image_groups.certificate import Certificate, Requirements, Share

MISTAKES_SHOWN = 24
PAIRS_TO_LABEL = 1000
_LOWEST_RATE = 1e-6


@dataclass(frozen=True)
class JudgedPair:
    """A pair of the corpus with its score. same: its label. wrong: whether the policy says otherwise."""

    a: CorpusPicture
    b: CorpusPicture
    same: bool
    kind: str
    detail: str
    score: float
    wrong: bool


def worst_pairs(corpus: Corpus, evaluation: Evaluation) -> tuple[list[JudgedPair], list[JudgedPair]]:
    """The different pairs with the highest scores and the same pairs with the lowest, MISTAKES_SHOWN each at most:
    mistakes first, then what is nearest to one. Of all copies of two different pictures only the worst pair."""
    return (
        list(islice(_confused(corpus, evaluation), MISTAKES_SHOWN)),
        list(islice(_missed(corpus, evaluation), MISTAKES_SHOWN)),
    )


def _confused(corpus: Corpus, evaluation: Evaluation) -> Iterator[JudgedPair]:
    seen = set()
    for judged in _ranked(corpus, evaluation, False, np.argsort(-evaluation.scores, kind="stable")):
        pictures = frozenset((judged.a.source, judged.b.source))
        if pictures not in seen:
            seen.add(pictures)
            yield judged


def _missed(corpus: Corpus, evaluation: Evaluation) -> Iterator[JudgedPair]:
    return _ranked(corpus, evaluation, True, np.argsort(evaluation.scores, kind="stable"))


def _ranked(corpus: Corpus, evaluation: Evaluation, same: bool, order: NDArray[np.int64]) -> Iterator[JudgedPair]:
    """The pairs with the label `same` in an order, without those that the policy is not asked for."""
    policy, chosen = evaluation.certificate.policy, evaluation.pairs
    asked = (corpus.same[chosen] == same) & (policy.mirrored | (corpus.details[chosen] != MIRRORED))
    for i in order[asked[order]]:
        yield _judged(corpus, int(chosen[i]), float(evaluation.scores[i]), policy.least_score)


def _judged(corpus: Corpus, pair: int, score: float, least_score: float) -> JudgedPair:
    a, b = (corpus.pictures[i] for i in corpus.pairs[pair])
    if a.edit and not b.edit:
        a, b = b, a
    same = bool(corpus.same[pair])
    return JudgedPair(
        a, b, same, str(corpus.kinds[pair]), str(corpus.details[pair]), score, (score > least_score) != same
    )


def render_report(
    corpus: Corpus,
    evaluation: Evaluation,
    required: Requirements,
    problem: str | None,
    previews: Mapping[str, bytes],
) -> str:
    """The page. previews: small JPEGs of pictures by their keys; a picture without one shows its thumbnail.

    problem: why the policy must not be grouped by, as the gate says; None when it may.
    """
    certificate = evaluation.certificate
    confused, missed = worst_pairs(corpus, evaluation)
    same = corpus.same[evaluation.pairs]
    return _template().render(
        certificate=certificate,
        required=required,
        problem=problem,
        histogram=Markup(
            charts.histogram(evaluation.scores[same], evaluation.scores[~same], certificate.policy.least_score)
        ),
        curves=[Markup(chart) for chart in _curves(evaluation, required)],
        edits=_edit_rows(certificate, required),
        confused=confused,
        missed=missed,
        picture=lambda picture: _data_uri(picture, previews),
        to_label=_to_label(corpus, evaluation),
        chosen_on=evaluation.tuning_curve[0].false_merges.pairs,
        enough=trials_for(required.max_false_merge_rate),
        decided=DECIDED,
    )


def _curves(evaluation: Evaluation, required: Requirements) -> list[str]:
    thresholds = [point.threshold for point in evaluation.curve]
    # No line where the other half has no pairs.
    tuning = evaluation.tuning_curve if evaluation.tuning_curve[0].false_merges.pairs else ()
    recall = charts.Line(
        "same",
        [point.recall.rate for point in evaluation.curve],
        [point.recall.lower for point in evaluation.curve],
        [point.recall.rate for point in tuning],
    )
    false = charts.Line(
        "different",
        [point.false_merges.rate for point in evaluation.curve],
        [point.false_merges.upper for point in evaluation.curve],
        [point.false_merges.rate for point in tuning],
    )
    now = evaluation.certificate.policy.threshold
    return [
        charts.shares(thresholds, recall, now, required.min_recall, 0.5, False, "recall over the edits"),
        charts.shares(
            thresholds,
            false,
            now,
            required.max_false_merge_rate,
            _LOWEST_RATE,
            True,
            "different pairs that are merged",
        ),
    ]


def _edit_rows(certificate: Certificate, required: Requirements) -> list[tuple[str, Share, Markup, bool]]:
    """(edit, share, chart, whether it counts in the recall), the least found first."""
    rows = []
    for edit, share in sorted(certificate.by_edit.items(), key=lambda item: (item[1].rate, item[0])):
        chart = charts.interval(share.rate, share.lower, share.upper, required.min_recall, 0.8)
        rows.append((edit, share, Markup(chart), certificate.policy.mirrored or edit != MIRRORED))
    return sorted(rows, key=lambda row: not row[3])


def _data_uri(picture: CorpusPicture, previews: Mapping[str, bytes]) -> str:
    preview = previews.get(picture.key)
    if preview is not None:
        return f"data:image/jpeg;base64,{base64.b64encode(preview).decode()}"
    file = io.BytesIO()
    Image.fromarray(unpack_luma(picture.luma)).save(file, "PNG")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"


def _to_label(corpus: Corpus, evaluation: Evaluation) -> str:
    """A CSV for `corpus import`, for somebody to correct the labels: all pairs of pictures that are confused in any
    copy (PAIRS_TO_LABEL at most), and those that are shown."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["a", "b", "label", "name_a", "name_b", "score"])
    for number, pair in enumerate(islice(_confused(corpus, evaluation), PAIRS_TO_LABEL)):
        if pair.wrong or number < MISTAKES_SHOWN:
            writer.writerow([pair.a.source, pair.b.source, "different", pair.a.name, pair.b.name, f"{pair.score:.3f}"])
    return f"data:text/csv;charset=utf-8,{quote(text.getvalue())}"


def _percent(share: float) -> str:
    """As people read it: enough digits to tell it from 0 and from 100 %."""
    if share in (0.0, 1.0):
        return f"{share:.0%}"
    digits = 1
    while digits < 8 and f"{share:.{digits}%}" in (f"{0:.{digits}%}", f"{1:.{digits}%}"):
        digits += 1
    return f"{share:.{digits}%}"


def _rate(share: float) -> str:
    """A small share: 0, or as 1.2e-4."""
    return "0" if share == 0 else f"{share:.2g}"


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("image_assets.dedup_quality", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(percent=_percent, small=_rate, digits=lambda number: f"{number:,}")
    return environment.get_template("report.html.j2")
