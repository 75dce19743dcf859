"""`docs/reasons.md` has a row for every reason of the code, with the same meaning and outcome, and no other."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

from image_assets.raw_images.verdicts import Reason
from resources.image_fetcher import FETCH_REASONS

ROOT = Path(__file__).parents[1]


def rows(heading: str) -> dict[str, list[str]]:
    """Reason -> the other cells of its row, of the table below a heading."""
    text = (ROOT / "docs" / "reasons.md").read_text()
    section = re.split(r"\n#+ ", text.partition(f"### {heading}")[2])[0]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in section.splitlines() if "| `" in line]
    reasons = [row[0].strip(" `") for row in cells]
    assert len(set(reasons)) == len(reasons), "a reason has two rows"
    return {reason: row[1:] for reason, row in zip(reasons, cells, strict=True)}


def test_every_reason_of_a_fetch_has_a_row_with_its_meaning_and_outcome() -> None:
    documented = rows("While fetching")
    assert documented.keys() == FETCH_REASONS.keys()
    for reason, (meaning, outcome, advice) in documented.items():
        assert meaning == FETCH_REASONS[reason].meaning
        assert outcome.startswith("`rejected`" if FETCH_REASONS[reason].final else "`failed`"), reason
        assert advice


def test_every_reason_of_screening_has_a_row() -> None:
    documented = rows("While screening (all `rejected`)")
    assert documented.keys() == set(get_args(Reason))
    assert all(meaning and advice for meaning, advice in documented.values())
