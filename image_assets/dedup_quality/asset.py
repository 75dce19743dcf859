"""The guarantee: judge the policy by the corpus and keep the certificate that the gate of `image_groups` asks for.

Belongs here: the asset. The work is `image_assets.corpus.evaluating`, as for the command.
"""

import dagster as dg

from image_assets.corpus.evaluating import NoPairs, evaluate_corpus
from image_assets.image_groups.certificate import Certificate
from image_assets.methods import Methods
from image_assets.stage_run import INFRASTRUCTURE_RETRIES, failing_clearly
from image_assets.store_pages import page_url
from resources.ledger import Ledger
from resources.object_store import ObjectStore


@dg.asset(
    group_name="quality",
    kinds={"numba", "html"},
    owners=["team:images"],
    code_version="1",
    retry_policy=INFRASTRUCTURE_RETRIES,
)
def dedup_quality(
    context: dg.AssetExecutionContext,
    ledger: dg.ResourceParam[Ledger],
    store: dg.ResourceParam[ObjectStore],
    methods: dg.ResourceParam[Methods],
) -> dg.MaterializeResult:
    """How well the policy tells the same picture from another: recall, false merges and precision with exact bounds.

    From the held-out half of the corpus (`image-assets corpus build`, `corpus import`, and what people decided).
    Nothing asks for it: materialise it when the corpus or the policy changed. Its certificate opens or closes the gate
    of `image_groups`.
    """
    with failing_clearly(context):
        try:
            evaluated = evaluate_corpus(ledger, store, methods)
        except NoPairs as nothing:
            raise dg.Failure(str(nothing), allow_retries=False) from nothing
    if evaluated.problem:
        context.log.warning(f"The gate of image_groups is closed by this: {evaluated.problem}")
    return dg.MaterializeResult(
        metadata={
            "report": dg.MetadataValue.url(page_url(store.url, evaluated.report_key)),
            "gate_open": evaluated.problem is None,
            "policy": str(methods.policy),
            "corpus": evaluated.certificate.corpus,
            **_figures(evaluated.certificate),
            "labels_overruled": evaluated.overruled,
            "pairs_between_halves": evaluated.between,
            "pictures_left_out": evaluated.left_out,
        }
    )


def _figures(certificate: Certificate) -> dict[str, float | int]:
    recall, false, groups = certificate.recall, certificate.false_merges, certificate.groups
    confused = certificate.confused_pictures
    precision = certificate.precision
    return {
        "recall": recall.rate,
        "recall_at_least": recall.lower,
        "same_pairs": recall.pairs,
        "same_pair_pictures": recall.sources,
        "false_merge_rate": false.rate,
        "false_merge_rate_at_most": false.upper,
        "different_pairs": false.pairs,
        "different_pair_pictures": false.sources,
        "different_picture_pairs": confused.pairs,
        "confused_picture_pairs": confused.hits,
        "confused_picture_rate_at_most": confused.upper,
        "wrong_merges_in_groups": groups.wrong_merges,
        "missed_merges_in_groups": groups.missed_merges,
        **({"precision": precision.rate, "precision_at_least": precision.lower} if precision else {}),
    }
