"""What the demo says: each week's play before the run, and what happened, stage by stage, after it.

Text from values only. Does not belong here: reading results (outcome) or judging them (expectations).
"""

from __future__ import annotations

import textwrap
from collections import Counter, defaultdict
from collections.abc import Sequence
from urllib.parse import unquote

from demo.expectations import Finding
from demo.hotels import HOTELS, PARTNERS
from demo.outcome import Diff, WeekOutcome
from demo.scenario import Trouble, Week

_WIDTH = 100


def opening(real_photographs: bool) -> str:
    """Who plays."""
    source = "real photographs (Pexels)" if real_photographs else "scenes drawn by code (no photographs installed)"
    lines = [
        _rule("image-assets: from four partners' pictures to one gallery per hotel", "="),
        f"{len(HOTELS)} hotels, {len(PARTNERS)} partners on a local web server. The pictures: {source}.",
        "",
    ]
    lines += [f"  {partner.partner_id:<14}{partner.catalogue_format:<10}{partner.story}" for partner in PARTNERS]
    return "\n".join(lines)


def week_one_begins(week: Week) -> str:
    """What is handed in in week one."""
    return "\n".join(
        [
            "",
            _rule(f"Week one, {week.week_id}: everything is new", "="),
            "The partners hand in their catalogues; then the data release says which accommodations are one hotel.",
            *_handed_in(week),
            *textwrap.wrap(f"Their server has its troubles: {_troubles(week)}.", _WIDTH),
        ]
    )


def week_two_begins(week: Week) -> str:
    """What is handed in in week two, and what has changed."""
    return "\n".join(
        [
            "",
            _rule(f"Week two, {week.week_id}: a little has changed", "="),
            "atlas          has three pictures taken anew, behind their old URLs, and two more of Porto.",
            "costa-stays    offers a hotel in Berlin for the first time.",
            "viajes-ñandú   drops its pictures of Valencia and one of Barcelona; a URL that only failed is well again.",
            "nordlicht      sends nothing.",
            "The data release moves ñandú's bilbao-hot2 from Hotel Arenal, where it was by mistake, to Abando Suites.",
            *_handed_in(week),
        ]
    )


def _handed_in(week: Week) -> list[str]:
    return [
        f"  catalogues/{partner_id}/{week.week_id}.{week.catalogues[partner_id].catalogue_format}: "
        f"{len(week.catalogues[partner_id].offers)} entries"
        for partner_id in sorted(week.handed_in)
    ] + [f"  data-releases/{week.week_id}.csv: {sum(map(len, week.hotels.values()))} accommodations"]


def _troubles(week: Week) -> str:
    counts = Counter(offer.trouble for catalogue in week.catalogues.values() for offer in catalogue.offers)
    return "; ".join(f"{counts[trouble]} × {trouble.value}" for trouble in Trouble if counts[trouble])


def stage_by_stage(week: Week, outcome: WeekOutcome, before: WeekOutcome | None) -> str:
    """What each stage did in a week; `before` is the week before, to compare with."""
    published = len(outcome.groups)
    made = outcome.computed.get("renditions", 0)
    lines = [
        "",
        _rule(f"What happened in {week.week_id}"),
        *_catalogue_diffs(week, outcome),
        *_raw_images(week, outcome),
        "fingerprints",
        f"  {outcome.fingerprinted} different contents so far, each measured once whoever offers it",
        "hotel_groups",
        f"  {outcome.hotels} hotels with {outcome.accommodations} accommodations and {outcome.images} images; "
        f"rows refused: {outcome.rejected_rows}, accommodations nobody offers: {outcome.unknown_accommodations}",
        "image_groups",
        f"  {outcome.images} images show {published} different pictures: {outcome.duplicates} duplicates removed; "
        f"{outcome.computed.get('image_groups', 0)} of {outcome.hotels} hotels computed",
        "priorities",
        f"  the best copy of each picture, and the order of the pictures; "
        f"{outcome.computed.get('priorities', 0)} of {outcome.hotels} hotels computed",
        "renditions",
        f"  {made} made, {sum(len(group.renditions) for group in outcome.groups) - made} were there already",
        "image_release",
        f"  {outcome.current_release} is current: {published} images in {len({g.hotel_id for g in outcome.groups})} "
        f"galleries",
        "",
        _hotel_line(outcome, before),
    ]
    if before is not None:
        lines += _compared(before, outcome)
    return "\n".join(lines)


def _catalogue_diffs(week: Week, outcome: WeekOutcome) -> list[str]:
    lines = [f"{'catalogue_diffs':<16}" + _columns("new", "updated", "deleted", "unchanged", "bad rows")]
    for partner_id in week.catalogues:
        diff = outcome.diffs.get(partner_id)
        if diff is None:
            lines.append(f"  {partner_id:<14}{'no new catalogue':>22}")
        else:
            lines.append(f"  {partner_id:<14}" + _columns(*_diff_counts(diff)))
    return lines


def _diff_counts(diff: Diff) -> tuple[int, ...]:
    return diff.new, diff.updated, diff.deleted, diff.unchanged, diff.rejected


def _raw_images(week: Week, outcome: WeekOutcome) -> list[str]:
    lines = [f"{'raw_images':<16}" + _columns("requests", "available", "rejected", "failed")]
    requests: Counter[str] = Counter()
    for path, count in outcome.requests.items():
        requests[unquote(path).split("/")[1]] += count
    by_partner: defaultdict[str, Counter[str]] = defaultdict(Counter)
    reasons: Counter[tuple[str, str]] = Counter()
    for (partner_id, _), fetch in outcome.fetches.items():
        by_partner[partner_id][fetch.outcome] += 1
        if fetch.outcome != "available":
            reasons[fetch.outcome, fetch.reason or "no reason given"] += 1
    for partner_id in week.catalogues:
        counts = by_partner[partner_id]
        columns = _columns(requests[partner_id], counts["available"], counts["rejected"], counts["failed"])
        lines.append(f"  {partner_id:<14}{columns}")
    lines += [f"    {fate}: {count} × {reason}" for (fate, reason), count in sorted(reasons.items())]
    return lines


def _hotel_line(outcome: WeekOutcome, before: WeekOutcome | None) -> str:
    """The two hotels in Bilbao: how many pictures each one shows."""

    def shown(of: WeekOutcome, hotel_id: str) -> int:
        return sum(group.hotel_id == hotel_id for group in of.groups)

    parts = []
    for hotel in HOTELS[:2]:
        was = f"{shown(before, hotel.hotel_id)} → " if before else ""
        parts.append(f"{hotel.name} shows {was}{shown(outcome, hotel.hotel_id)} pictures")
    return "  " + "; ".join(parts) + "."


def _compared(before: WeekOutcome, after: WeekOutcome) -> list[str]:
    rows = [
        ("requests to the partners", sum(before.requests.values()), sum(after.requests.values())),
        ("hotels grouped", before.computed.get("image_groups", 0), after.computed.get("image_groups", 0)),
        ("hotels ranked", before.computed.get("priorities", 0), after.computed.get("priorities", 0)),
        ("renditions made", before.computed.get("renditions", 0), after.computed.get("renditions", 0)),
        ("images published", len(before.groups), len(after.groups)),
    ]
    return [
        "",
        _rule("Only what changed was done again"),
        f"  {'':<26}{'week one':>10}{'week two':>10}",
        *(f"  {what:<26}{one:>10}{two:>10}" for what, one, two in rows),
    ]


def verdict(week: Week, findings: Sequence[Finding]) -> str:
    """Whether the week came out as expected, and what did not."""
    wrong = [finding for finding in findings if not finding.holds]
    if not wrong:
        return f"\n  As expected: all {len(findings)} expectations of {week.week_id} hold."
    return "\n".join(
        [f"\n  NOT as expected in {week.week_id}: {len(wrong)} of {len(findings)} expectations do not hold."]
        + [f"    {finding.what}: {finding.detail}" for finding in wrong]
    )


def closing(outcome: WeekOutcome, open_ui: str, seconds: float) -> str:
    """Where to look next."""
    return "\n".join(
        [
            "",
            _rule(f"Done in {seconds:.0f} s", "="),
            f"  gallery    {outcome.gallery}",
            f"  manifest   {outcome.manifest}",
            "  The same data in the Dagster UI:",
            f"    {open_ui}",
        ]
    )


def _columns(*cells: object) -> str:
    return "".join(f"{cell!s:>11}" for cell in cells)


def _rule(title: str, line: str = "-") -> str:
    return f"{line * 2} {title} ".ljust(_WIDTH, line)
