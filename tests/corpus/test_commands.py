"""`image-assets corpus …` as people run it: what it says, and how it exits."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from corpus.stock import write_photographs

from resources.ledger import Ledger
from resources.ledger.decisions import record_decision

COMMAND = Path(sys.executable).with_name("image-assets")


def run(home: Path, database_url: str, *arguments: str) -> tuple[int, str]:
    """(exit code, what it said)."""
    environment = {**os.environ, "IMAGE_ASSETS_HOME": str(home), "DATABASE_URL": database_url}
    environment.pop("IMAGE_STORE_URL", None)
    done = subprocess.run([COMMAND, "corpus", *arguments], env=environment, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def test_pairs_are_imported_shown_judged_and_forgotten(tmp_path: Path, database_url: str) -> None:
    folder = write_photographs(tmp_path / "photos", 12)
    (folder / "pairs.csv").write_text(
        "a,b,label\n" + "".join(f"{n}.jpg,{n + 1}.jpg,different\n" for n in range(11)) + "0.jpg,1.jpg,perhaps\n"
    )
    code, said = run(tmp_path, database_url, "import", str(folder / "pairs.csv"))
    assert code == 1
    assert "REFUSED   pairs.csv:13: field label: expected same or different ('perhaps')" in said
    assert "11 of different ones imported from pairs.csv; 1 rows refused" in said

    code, said = run(tmp_path, database_url, "show")
    assert code == 0
    assert said.split() == ["imported", "0", "same", "11", "different", "pairs.csv"]

    code, said = run(tmp_path, database_url, "evaluate")
    assert code == 1
    assert "image-assets corpus build" in said

    assert run(tmp_path, database_url, "forget", "pairs.csv") == (0, "11 pairs taken out.\n")
    code, said = run(tmp_path, database_url, "forget", "pairs.csv")
    assert code == 1
    assert "No pairs are from pairs.csv" in said


def test_what_people_decided_is_listed_among_the_labelled_pairs(
    tmp_path: Path, database_url: str, ledger: Ledger
) -> None:
    assert "No pairs yet" in run(tmp_path, database_url, "show")[1]
    with ledger.connect() as connection:
        for other, same in (("b", False), ("c", False), ("d", True)):
            record_decision(connection, "a" * 64, other * 64, same=same, note=None)
    code, said = run(tmp_path, database_url, "show")
    assert code == 0
    assert said.split()[:5] == ["decided", "1", "same", "2", "different"]


def told_of_different(said: str) -> list[str]:
    return [line for line in said.splitlines() if line.startswith("  different, ")]


def test_a_certificate_that_is_not_good_enough_is_told_with_its_report(tmp_path: Path, database_url: str) -> None:
    folder = write_photographs(tmp_path / "photos", 12)
    few = ("--same-pairs", "31", "--different-pairs", "40")
    code, said = run(tmp_path, database_url, "build", "--folder", str(folder), *few)
    assert code == 0
    assert "12 pictures and 100 edited copies" in said
    code, said = run(tmp_path, database_url, "evaluate")
    assert code == 1
    assert "The gate of image_groups is closed by this" in said
    (report,) = [line.removeprefix("Report: ") for line in said.splitlines() if line.startswith("Report: ")]
    assert "The gate is closed" in Path(report).read_text()
    stored = run(tmp_path, database_url, "certificate")[1]
    assert "closed" in stored
    assert told_of_different(stored) == told_of_different(said) != []
    code, said = run(tmp_path, database_url, "certificate", "--forget")
    assert "1 certificates dropped" in said
    assert "is certified" in said
