"""`image-assets corpus import FILE.csv`: pairs that somebody labelled.

Belongs here: the file's columns, what each field may hold, finding the images. Does not belong here: CSV as such
(`given_files`), and what labels are used for.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from image_assets.corpus.building import pair_row, picture_row
from image_assets.dedup_quality.corpus import IMPORTED, LabelledPair, picture_key
from image_assets.dedup_quality.making import MadePicture, Original, made_pictures
from image_assets.fingerprints import UnreadableImage
from image_assets.given_files import RejectedRow, UnreadableFile, csv_records, shortened, unpacked
from image_assets.methods import Methods
from resources.ledger import Ledger, corpus
from resources.object_store import ObjectStore, raw_image_key

COLUMNS = ("a", "b", "label")
_LABELS = {"same": True, "different": False}
_SHA256 = re.compile(r"[0-9a-f]{64}")


class UnreadablePairs(ValueError):
    """The file as a whole cannot be used; the message names it and the cause."""


@dataclass(frozen=True)
class ImportedPairs:
    """What was imported, and the rows that were not."""

    origin: str
    same: int
    different: int
    pictures: int
    rejects: tuple[RejectedRow, ...]


@dataclass(frozen=True)
class _Row:
    line: int
    a: str
    b: str
    same: bool


def import_pairs(ledger: Ledger, store: ObjectStore, methods: Methods, file: Path) -> ImportedPairs:
    """Put the pairs of a CSV file into the corpus, in place of those that a file of this name gave before.

    Columns `a` and `b` name an image each: the sha256 of one that the pipeline has, or an image file, its path taken
    from the folder of the CSV; `label` is `same` or `different`. Raises UnreadablePairs when it is no such CSV.
    """
    rows, rejects = _labelled_rows(file)
    found = _pictures(store, methods, file.parent, sorted({image for row in rows for image in (row.a, row.b)}))
    pairs: dict[tuple[str, str], tuple[int, LabelledPair]] = {}
    for row in rows:
        missing = [
            (name, found[image]) for name, image in (("a", row.a), ("b", row.b)) if isinstance(found[image], str)
        ]
        if missing:
            name, reason = missing[0]
            rejects.append(_reject(file, row.line, name, str(reason), row.a if name == "a" else row.b))
            continue
        a, b = sorted(_key(found[image]) for image in (row.a, row.b))
        line, known = pairs.get((a, b), (row.line, None))
        if a == b:
            rejects.append(_reject(file, row.line, "b", "is the very image that column a names", row.b))
        elif known is not None and known.same != row.same:
            other = "same" if known.same else "different"
            rejects.append(_reject(file, row.line, "label", f"line {line} labels this pair {other}", str(row.same)))
        else:
            pairs.setdefault((a, b), (row.line, LabelledPair(a, b, row.same, IMPORTED, file.name)))
    kept = [pair for _, pair in pairs.values()]
    used = {key for pair in kept for key in (pair.a, pair.b)}
    pictures = {made.picture.key: made for made in found.values() if isinstance(made, MadePicture)}
    with ledger.connect() as connection:
        corpus.replace_origin(
            connection,
            IMPORTED,
            file.name,
            [picture_row(made, methods.fingerprint) for key, made in sorted(pictures.items()) if key in used],
            [pair_row(pair) for pair in kept],
        )
    same = sum(pair.same for pair in kept)
    ordered = tuple(sorted(rejects, key=lambda reject: reject.line))
    return ImportedPairs(file.name, same, len(kept) - same, len(used), ordered)


def _labelled_rows(file: Path) -> tuple[list[_Row], list[RejectedRow]]:
    rows: list[_Row] = []
    rejects: list[RejectedRow] = []
    try:
        with file.open("rb") as opened, unpacked(opened) as content:
            for records, broken in csv_records(content, file.name, COLUMNS):
                rejects.extend(broken)
                for line, (a, b, label) in records:
                    a, b, label = a.strip(), b.strip(), label.strip().lower()
                    if empty := next((name for name, value in (("a", a), ("b", b)) if not value), None):
                        rejects.append(_reject(file, line, empty, "missing", ""))
                    elif label not in _LABELS:
                        rejects.append(_reject(file, line, "label", "expected same or different", label))
                    else:
                        rows.append(_Row(line, a, b, _LABELS[label]))
    except (UnreadableFile, OSError) as cause:
        raise UnreadablePairs(f"{file}: {cause}") from cause
    return rows, rejects


def _pictures(
    store: ObjectStore, methods: Methods, folder: Path, images: Sequence[str]
) -> dict[str, MadePicture | str]:
    """For each image as the file names it the measured picture, or the reason why there is none."""
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        return dict(zip(images, pool.map(partial(_picture, store, methods, folder), images), strict=True))


def _picture(store: ObjectStore, methods: Methods, folder: Path, image: str) -> MadePicture | str:
    try:
        data = store.get(raw_image_key(image)) if _SHA256.fullmatch(image) else (folder / image).read_bytes()
        original = Original(hashlib.sha256(data).hexdigest(), None, image)
        return next(made_pictures(original, data, (), 0, methods.algorithm))
    except UnreadableImage as trouble:
        return f"not an image that can be read ({trouble.reason})"
    except FileNotFoundError:
        known = _SHA256.fullmatch(image)
        return "the pipeline has no image of this sha256" if known else f"there is no file {folder / image}"
    except OSError as trouble:
        return f"{folder / image} cannot be read ({trouble.strerror})"


def _key(made: MadePicture | str) -> str:
    assert isinstance(made, MadePicture)
    return picture_key(made.picture.source)


def _reject(file: Path, line: int, field: str, reason: str, value: str) -> RejectedRow:
    return RejectedRow(file.name, line, field, reason, shortened(value))
