"""Listings by the systems' own means, for folders with names that obstore has no key for and so cannot list at all.

Belongs here: a folder on disk, a prefix in a bucket. Does not belong here: the listing that is normally used.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class StoredObject:
    """One object of a listing: its key, its size in bytes, the store's tag for its content, when it was written."""

    key: str
    size: int
    etag: str
    written_at: datetime


def list_bucket(client: Any, bucket: str, prefix: str, folder: str) -> Iterator[StoredObject]:
    """The objects below `prefix`/`folder` by boto3's `client`; keys are relative to `prefix`. Raises OSError."""
    from botocore.exceptions import BotoCoreError, ClientError

    root = f"{prefix}/" if prefix else ""
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{root}{folder}/")
    try:
        for page in pages:
            for entry in page.get("Contents", []):
                if not entry["Key"].endswith("/"):
                    yield StoredObject(
                        entry["Key"].removeprefix(root), entry["Size"], entry["ETag"].strip('"'), entry["LastModified"]
                    )
    except (BotoCoreError, ClientError) as error:
        raise OSError(f"listing s3://{bucket}/{root}{folder}: {error}") from error


def list_folder(root: Path, folder: str) -> Iterator[StoredObject]:
    """The files below `root`/`folder`, with the tags that obstore gives them; links are followed, but not in circles.

    Bytes of a name that are not UTF-8 are shown as \ufffd.
    """
    yield from _files(root, root / folder, frozenset())


def _files(root: Path, folder: Path, above: frozenset[tuple[int, int]]) -> Iterator[StoredObject]:
    try:
        here = folder.stat()
        entries = sorted(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return
    if (here.st_dev, here.st_ino) in above:
        return
    for entry in entries:
        if entry.is_dir():
            yield from _files(root, entry, above | {(here.st_dev, here.st_ino)})
        elif entry.is_file():
            file = entry.stat()
            key = os.fsencode(entry.relative_to(root)).decode(errors="replace")
            etag = f"{file.st_ino:x}-{file.st_mtime_ns // 1000:x}-{file.st_size:x}"
            # In whole microseconds, cut off as obstore does; a float of seconds would be rounded.
            seconds, nanoseconds = divmod(file.st_mtime_ns, 1_000_000_000)
            written_at = datetime.fromtimestamp(seconds, UTC).replace(microsecond=nanoseconds // 1000)
            yield StoredObject(key, file.st_size, etag, written_at)
