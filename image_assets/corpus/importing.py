"""`image-assets corpus import FILE.csv`: pairs that somebody labelled.

Belongs here: the file's columns, what each field may hold, finding the images. Does not belong here: CSV as such
(`given_files`), and what labels are used for.
"""

from __future__ import annotations

import hashlib
import os
import re
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
    label: str

    @property
    def same(self) -> bool:
        return _LABELS[self.label]

    def image(self, column: str) -> str:
        return self.a if column == "a" else self.b


@dataclass(frozen=True)
class _Found:
    """An image that the file names: its key and, when the corpus lacks it, the picture; or why there is none."""

    key: str = ""
    made: MadePicture | None = None
    problem: str | None = None


def import_pairs(ledger: Ledger, store: ObjectStore, methods: Methods, file: Path) -> ImportedPairs:
    """Put the pairs of a CSV file into the corpus, in place of those that a file of this name gave before.

    Columns `a` and `b` name an image each: the sha256 of one that the pipeline or the corpus has, or an image file, its
    path taken from the folder of the CSV; `label` is `same` or `different`. Raises UnreadablePairs for any other file.
    """
    rows, rejects = _labelled_rows(file)
    images = sorted({image for row in rows for image in (row.a, row.b)})
    with ledger.connect() as connection:
        sha256s = [image for image in images if _SHA256.fullmatch(image)]
        known = corpus.known_pictures(connection, [picture_key(sha256) for sha256 in sha256s], methods.fingerprint)
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        find = partial(_find, store, methods, file.parent, known)
        found = dict(zip(images, pool.map(find, images), strict=True))
    pairs: dict[tuple[str, str], tuple[int, LabelledPair]] = {}
    for row in rows:
        if missing := next((column for column in ("a", "b") if found[row.image(column)].problem), None):
            image = row.image(missing)
            rejects.append(_reject(file, row.line, missing, str(found[image].problem), image))
            continue
        a, b = sorted(found[image].key for image in (row.a, row.b))
        if a == b:
            rejects.append(_reject(file, row.line, "b", "is the very image that column a names", row.b))
            continue
        line, pair = pairs.setdefault((a, b), (row.line, LabelledPair(a, b, row.same, IMPORTED, file.name)))
        if pair.same != row.same:
            rejects.append(_reject(file, row.line, "label", f"line {line} says otherwise of this pair", row.label))
    kept = [pair for _, pair in pairs.values()]
    used = {key for pair in kept for key in (pair.a, pair.b)}
    pictures = {image.key: image.made for image in found.values() if image.made is not None}
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
                        rows.append(_Row(line, a, b, label))
    except (UnreadableFile, OSError) as cause:
        raise UnreadablePairs(f"{file}: {cause}") from cause
    return rows, rejects


def _find(store: ObjectStore, methods: Methods, folder: Path, known: set[str], image: str) -> _Found:
    is_sha256 = _SHA256.fullmatch(image) is not None
    if is_sha256 and picture_key(image) in known:
        return _Found(picture_key(image))
    try:
        data = store.get(raw_image_key(image)) if is_sha256 else (folder / image).read_bytes()
        original = Original(hashlib.sha256(data).hexdigest(), None, image)
        made = next(made_pictures(original, data, (), 0, methods.algorithm))
    except UnreadableImage as trouble:
        return _Found(problem=f"not an image that can be read ({trouble.reason})")
    except FileNotFoundError:
        return _Found(
            problem="neither the pipeline nor the corpus has an image of this sha256"
            if is_sha256
            else f"there is no file {folder / image}"
        )
    except OSError as trouble:
        return _Found(problem=f"{folder / image} cannot be read ({trouble.strerror})")
    return _Found(made.picture.key, made)


def _reject(file: Path, line: int, field: str, reason: str, value: str) -> RejectedRow:
    return RejectedRow(file.name, line, field, reason, shortened(value))
