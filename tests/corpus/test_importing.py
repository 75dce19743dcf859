"""`corpus import`: labelled pairs from a user's CSV; what cannot be used is told by file, row and field."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from corpus.stock import METHODS, write_photographs
from pictures import drawn, jpeg

from image_assets.corpus.importing import ImportedPairs, UnreadablePairs, import_pairs
from resources.ledger import Ledger
from resources.ledger.corpus import corpus_pairs, corpus_pictures, origins
from resources.object_store import ObjectStore, raw_image_key


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_photographs(tmp_path / "photos", 4)


def imported(ledger: Ledger, store: ObjectStore, folder: Path, *lines: str, name: str = "pairs.csv") -> ImportedPairs:
    file = folder / name
    file.write_text("\n".join(["a,b,label", *lines]) + "\n")
    return import_pairs(ledger, store, METHODS, file)


def told(result: ImportedPairs) -> list[tuple[str, int, str, str]]:
    return [(reject.file, reject.line, reject.field, reject.reason) for reject in result.rejects]


def test_files_and_contents_of_the_pipeline_become_labelled_pairs(
    ledger: Ledger, store: ObjectStore, folder: Path
) -> None:
    data = jpeg(drawn(77))
    sha256 = hashlib.sha256(data).hexdigest()
    store.put(raw_image_key(sha256), data)
    result = imported(ledger, store, folder, "0.jpg,1.jpg,different", f"{sha256},2.jpg,Same")
    assert (result.same, result.different, result.rejects) == (1, 1, ())
    with ledger.connect() as connection:
        assert [count.origin for count in origins(connection)] == ["pairs.csv"]
        assert sorted(pair.same for pair in corpus_pairs(connection)) == [False, True]
        known = {picture.source for picture in corpus_pictures(connection, METHODS.fingerprint)}
    files = [hashlib.sha256((folder / f"{n}.jpg").read_bytes()).hexdigest() for n in range(3)]
    assert known == {*files, sha256}


def test_a_picture_of_the_corpus_is_named_by_its_sha256_wherever_it_came_from(
    ledger: Ledger, store: ObjectStore, folder: Path
) -> None:
    imported(ledger, store, folder, "0.jpg,1.jpg,different")
    a, b = (hashlib.sha256((folder / f"{n}.jpg").read_bytes()).hexdigest() for n in range(2))
    result = imported(ledger, store, folder, f"{a},{b},same", name="corrected.csv")
    assert (result.same, result.rejects) == (1, ())


def test_a_bad_row_is_told_by_line_and_field_and_costs_only_itself(
    ledger: Ledger, store: ObjectStore, folder: Path
) -> None:
    (folder / "text.jpg").write_text("no picture")
    result = imported(
        ledger,
        store,
        folder,
        "0.jpg,1.jpg,same",
        "0.jpg,2.jpg,alike",
        "0.jpg,,same",
        "0.jpg,9.jpg,same",
        "text.jpg,1.jpg,same",
        f"{'ab' * 32},1.jpg,same",
        "3.jpg,3.jpg,same",
        "1.jpg,0.jpg,different",
        "too,many,fields,here",
        "2.jpg,3.jpg,different",
    )
    assert (result.same, result.different) == (1, 1)
    reasons = told(result)
    assert [(line, field) for _, line, field, _ in reasons] == [
        (3, "label"),
        (4, "b"),
        (5, "b"),
        (6, "a"),
        (7, "a"),
        (8, "b"),
        (9, "label"),
        (10, "row"),
    ]
    assert {file for file, *_ in reasons} == {"pairs.csv"}
    assert reasons[0][3] == "expected same or different"
    assert "there is no file" in reasons[2][3]
    assert "not an image that can be read" in reasons[3][3]
    assert "neither the pipeline nor the corpus has an image" in reasons[4][3]
    assert reasons[6][3] == "line 2 says otherwise of this pair"


def test_a_file_of_the_same_name_replaces_what_it_gave_and_another_adds(
    ledger: Ledger, store: ObjectStore, folder: Path
) -> None:
    imported(ledger, store, folder, "0.jpg,1.jpg,same", "0.jpg,2.jpg,different")
    imported(ledger, store, folder, "0.jpg,3.jpg,different", name="more.csv")
    imported(ledger, store, folder, "0.jpg,1.jpg,different")
    with ledger.connect() as connection:
        counted = [(count.origin, count.same, count.different) for count in origins(connection)]
        assert counted == [("more.csv", 0, 1), ("pairs.csv", 0, 1)]
        assert len(corpus_pictures(connection, METHODS.fingerprint)) == 3


@pytest.mark.parametrize("text", ["", "a;label\n1;2\n", "\x1f\x8b damaged"])
def test_a_file_that_is_no_such_csv_changes_nothing(
    ledger: Ledger, store: ObjectStore, folder: Path, text: str
) -> None:
    imported(ledger, store, folder, "0.jpg,1.jpg,same")
    (folder / "pairs.csv").write_text(text)
    with pytest.raises(UnreadablePairs, match=r"pairs\.csv: "):
        import_pairs(ledger, store, METHODS, folder / "pairs.csv")
    with ledger.connect() as connection:
        assert len(corpus_pairs(connection)) == 1
