"""A catalogue of a million rows is staged and applied in bounded memory."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from resources.environment import PROJECT


@pytest.mark.long
def test_a_million_row_catalogue_diffs_in_under_one_gibibyte() -> None:
    done = subprocess.run(
        [sys.executable, PROJECT / "benchmarks" / "catalogue_diff.py"], capture_output=True, text=True, check=True
    )
    peaks = [int(found.replace(",", "")) for found in re.findall(r"so far ([\d,]+) MiB", done.stdout)]
    assert len(peaks) == 2, done.stdout
    assert max(peaks) < 1024, done.stdout
