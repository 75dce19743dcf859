"""The object store: bytes under keys, on a local folder (`file://`) or any S3 endpoint (`s3://bucket/prefix`).

Belongs here: opening the store from its URL, reading, writing and listing objects, the keys of raw images.
Does not belong here: what the bytes mean, or which objects should exist (the ledger knows).
"""

from __future__ import annotations

import asyncio
import io
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import InvalidPathError
from obstore.store import LocalStore, S3Store

from resources.plain_listing import StoredObject, list_bucket, list_folder
from resources.unfinished_files import FOLDER as UNFINISHED
from resources.unfinished_files import sweep, write_whole

_BUCKET_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]+")

# The event loop's requests run in threads of ours. obstore's own asynchronous calls take twice the event loop's time,
# and their threads still release Python objects after the call has returned: a process that ended then aborted, up to
# one time in five. A folder gains nothing from more threads; a bucket makes each thread wait.
_FOLDER_THREADS = 4
_BUCKET_THREADS = 32

# Folders with at least as many wanted objects are listed: about where a listing costs no more than the HEADs.
_LIST_FROM = 20

_LISTED_AT_ONCE = 16


class StoreGone(OSError):
    """Nothing at all is in the store: it is not mounted, or not the right one. A missing object then means nothing."""


class StoreUrlError(ValueError):
    """`IMAGE_STORE_URL` cannot be used; the message says why and what is expected."""


@dataclass(frozen=True)
class ObjectStore:
    """Objects under keys relative to `url`. Safe to share between threads; the I/O holds no GIL."""

    url: str
    store: Any
    plain_listing: Callable[[str], Iterator[StoredObject]]
    threads: ThreadPoolExecutor
    folder: Path | None = None

    def put(self, key: str, data: bytes | Path) -> None:
        """Write one object; a reader sees the old content or the new one, never a part."""
        if self.folder is None:
            obstore.put(self.store, key, data)
        else:
            write_whole(self.folder, key, data)  # two thirds of the CPU time that obstore takes

    def shares(self, objects: Iterable[tuple[str, bytes]]) -> list[deque[tuple[str, bytes]]]:
        """Objects by key, dealt out to all threads of the store: an object each would cost the way there and back."""
        dealt: list[deque[tuple[str, bytes]]] = [
            deque() for _ in range(_BUCKET_THREADS if self.folder is None else _FOLDER_THREADS)
        ]
        for number, one in enumerate(objects):
            dealt[number % len(dealt)].append(one)
        return [share for share in dealt if share]

    async def put_share_async(self, share: deque[tuple[str, bytes]]) -> None:
        """Put the objects of a share, for the event loop. What is durable leaves it: after a fault, call it again."""
        await asyncio.get_running_loop().run_in_executor(self.threads, self._put_share, share)

    def _put_share(self, share: deque[tuple[str, bytes]]) -> None:
        while share:
            self.put(*share[0])
            share.popleft()

    def put_file(self, key: str, path: Path) -> None:
        """Upload a local file, in parts where it is large."""
        self.put(key, path)

    def get(self, key: str) -> bytes:
        """The content of one object. Raises FileNotFoundError when there is none."""
        return bytes(obstore.get(self.store, key).bytes())

    async def get_async(self, key: str) -> bytes:
        """`get`, for the event loop."""
        return await asyncio.get_running_loop().run_in_executor(self.threads, self.get, key)

    def get_original(self, sha256: str) -> bytes:
        """The bytes of a raw image. Raises FileNotFoundError when it is gone from a store that is there."""
        try:
            return self.get(raw_image_key(sha256))
        except FileNotFoundError:
            self.require_there()
            raise

    async def get_original_async(self, sha256: str) -> bytes:
        """`get_original`, for the event loop."""
        try:
            return await self.get_async(raw_image_key(sha256))
        except FileNotFoundError:
            await asyncio.to_thread(self.require_there)
            raise

    def download(self, key: str, path: Path) -> None:
        """Write one object's content to a local file, in flat memory. Raises FileNotFoundError and leaves no file."""
        content = obstore.get(self.store, key).stream()
        with path.open("wb") as target:
            for chunk in content:
                target.write(chunk)

    def open(self, key: str) -> BinaryIO:
        """One object as a seekable file: what reads only parts of it transfers little. Raises FileNotFoundError."""
        return io.BufferedReader(_Opened(obstore.open_reader(self.store, key)))

    def require_there(self) -> None:
        """Call this before concluding anything from a missing object. Raises StoreGone, or what the request raises.

        A disk that is not mounted and a bucket that does not exist answer as if each object were missing.
        """
        if all(folder == UNFINISHED for folder in self.folders("")):
            raise StoreGone(f"nothing is in {self.url}: is it mounted, and the right store?")

    def folders(self, prefix: str) -> list[str]:
        """The folders directly below the folder `prefix`, as prefixes, in name order."""
        return sorted(obstore.list_with_delimiter(self.store, prefix.strip("/"))["common_prefixes"])

    def pages(self, prefixes: Iterable[str]) -> Iterator[list[StoredObject]]:
        """The objects below the folders `prefixes`, up to 1,000 at a time: memory is flat whatever their number.

        Some folders are listed side by side, a page of each ahead: a bucket takes a request for every 1,000 objects.
        For folders whose names are all ours: markers of folders and odd names, as `objects` treats them, are not.
        """
        listings = (iter(obstore.list(self.store, prefix.strip("/"), chunk_size=1000)) for prefix in prefixes)
        with ThreadPoolExecutor(_LISTED_AT_ONCE) as threads:
            ahead = deque((each, threads.submit(next, each, None)) for each in islice(listings, _LISTED_AT_ONCE))
            while ahead:
                listing, coming = ahead.popleft()
                page = coming.result()
                following = listing if page is not None else next(listings, None)
                if following is not None:
                    ahead.append((following, threads.submit(next, following, None)))
                yield [_stored(entry) for entry in page or ()]

    def objects(self, prefix: str) -> Iterator[StoredObject]:
        """The objects below the folder `prefix`, in no particular order, without those that only mark a folder.

        Keys come as they are, also those that cannot be read through this store (`a//b`, control characters).
        """
        folder = prefix.strip("/")
        try:
            listed = list(self._listed(folder))
        except InvalidPathError:  # one name that obstore has no key for ends its whole listing
            yield from self.plain_listing(folder)
        else:
            folders = {folder} | {parent for item in listed for parent in _parents(item.key)}
            # What S3's console makes for a folder, an empty object `a/`, is listed as `a`.
            yield from (item for item in listed if item.size or not self._marks_folder(item.key, folders))

    def _listed(self, folder: str) -> Iterator[StoredObject]:
        for chunk in obstore.list(self.store, folder):
            yield from map(_stored, chunk)

    def _marks_folder(self, key: str, folders: set[str]) -> bool:
        return key in folders or not self._exists(key)

    def missing(self, keys: Sequence[str], threads: int = 16) -> list[str]:
        """Those of `keys` that are not in the store, in the order given.

        A folder of which many objects are asked for is listed (one request for 1,000), others by one HEAD an object.
        """
        folders: dict[str, list[str]] = {}
        for key in keys:
            folders.setdefault(key.rpartition("/")[0], []).append(key)
        with ThreadPoolExecutor(threads) as pool:
            found = set().union(*pool.map(self._present, folders.items()))
        return [key for key in keys if key not in found]

    def _present(self, folder: tuple[str, list[str]]) -> set[str]:
        name, keys = folder
        if len(keys) >= _LIST_FROM:
            return {item.key for item in self._listed(name)}
        return {key for key in keys if self._exists(key)}

    def _exists(self, key: str) -> bool:
        try:
            obstore.head(self.store, key)
        except FileNotFoundError:
            return False
        return True

    def delete_all(self, keys: Sequence[str]) -> None:
        """Remove many objects, on S3 by one request; removing what is not there is fine."""
        try:
            obstore.delete(self.store, list(keys))
        except FileNotFoundError:  # a folder ends at the first that is missing
            for key in keys:
                self.delete(key)

    def delete(self, key: str) -> None:
        """Remove one object; removing what is not there is fine."""
        try:
            obstore.delete(self.store, key)
        except FileNotFoundError:
            return


class _Opened(io.RawIOBase):
    """An obstore reader, which buffers by itself, as Python's libraries want their files."""

    def __init__(self, reader: Any) -> None:
        self._reader = reader

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = memoryview(self._reader.read(len(buffer)))
        buffer[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return int(self._reader.seek(offset, whence))

    def tell(self) -> int:
        return int(self._reader.tell())


def _stored(entry: Mapping[str, Any]) -> StoredObject:
    return StoredObject(entry["path"], entry["size"], str(entry["e_tag"]).strip('"'), entry["last_modified"])


def raw_image_key(sha256: str) -> str:
    """Where the original bytes of a content lie: `raw/<aa>/<sha256>`, `sha256` in hex."""
    return f"raw/{sha256[:2]}/{sha256}"


def _parents(key: str) -> Iterator[str]:
    return (key[: separator.start()] for separator in re.finditer("/", key))


def open_store(url: str) -> ObjectStore:
    """Open `file:///folder` (percent-encoded, made when missing) or `s3://bucket/prefix` (taken literally).

    Endpoint, region and credentials are what boto3 finds. Raises StoreUrlError for any other URL, for a folder that
    cannot be used, and for an S3 URL without usable AWS settings.
    """
    scheme, separator, rest = url.partition("://")
    if separator and scheme.lower() == "file":
        return _open_folder(url)
    if separator and scheme.lower() == "s3":
        bucket, _, prefix = rest.partition("/")
        if not _BUCKET_NAME.fullmatch(bucket):
            raise StoreUrlError(f"IMAGE_STORE_URL={url!r}: an S3 URL names its bucket, as in s3://bucket/prefix")
        return _open_bucket(url, bucket, prefix.strip("/"))
    raise StoreUrlError(f"IMAGE_STORE_URL={url!r}: expected file:///folder or s3://bucket/prefix")


def _open_folder(url: str) -> ObjectStore:
    parts = urlsplit(url)
    if parts.netloc not in ("", "localhost") or not parts.path.startswith("/"):
        raise StoreUrlError(f"IMAGE_STORE_URL={url!r}: a file URL needs an absolute path, as in file:///data/images")
    if "?" in url or "#" in url:
        raise StoreUrlError(f"IMAGE_STORE_URL={url!r}: in a file URL write ? as %3F and # as %23")
    folder = Path(unquote(parts.path))
    try:
        store = LocalStore(folder, mkdir=True)
    except OSError as error:
        raise StoreUrlError(f"IMAGE_STORE_URL={url!r}: cannot use {folder} ({error})") from error
    sweep(folder)
    threads = ThreadPoolExecutor(_FOLDER_THREADS, thread_name_prefix="store")
    return ObjectStore(url, store, lambda key: list_folder(folder, key), threads, folder)


def _open_bucket(url: str, bucket: str, prefix: str) -> ObjectStore:
    # boto3 is the field's way to find credentials (profiles, roles, containers); obstore only moves bytes.
    import boto3
    from botocore.exceptions import BotoCoreError
    from obstore.auth.boto3 import Boto3CredentialProvider

    try:
        session = boto3.Session()
        credentials = session.get_credentials()
        client: Any = session.client("s3")
    except (BotoCoreError, ValueError) as error:  # ValueError: an endpoint that is no URL
        raise StoreUrlError(f"IMAGE_STORE_URL={url!r}: the AWS settings cannot be used ({error})") from error
    if credentials is None:
        raise StoreUrlError(f"IMAGE_STORE_URL={url!r}: no AWS credentials found (environment, profile or role)")
    endpoint: str = client.meta.endpoint_url
    store = S3Store(
        bucket,
        prefix=prefix or None,
        endpoint=endpoint,
        region=session.region_name or "us-east-1",
        virtual_hosted_style_request=False,
        client_options={"allow_http": endpoint.startswith("http://")},
        credential_provider=Boto3CredentialProvider(session),
    )
    threads = ThreadPoolExecutor(_BUCKET_THREADS, thread_name_prefix="store")
    return ObjectStore(url, store, lambda key: list_bucket(client, bucket, prefix, key), threads)


def store_fault(error: Exception) -> str:
    """What a store answered or why it could not be reached, in one line for people."""
    text = str(error)
    answer = re.search(r"<Code>(.*?)</Code>(?:.*?<Message>(.*?)</Message>)?", text, re.DOTALL)
    if answer:
        return ": ".join(part for part in answer.groups() if part)
    line = " ".join(text.partition("\n\nDebug source")[0].split())[:500]
    request = re.search(r"Error performing [A-Z]+ (https?://\S+) in .*? - (.*)", line)
    return f"{request[1]}: {request[2]}" if request else line
