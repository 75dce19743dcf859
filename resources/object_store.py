"""The object store: bytes under keys, on a local folder (`file://`) or any S3 endpoint (`s3://bucket/prefix`).

Belongs here: opening the store from its URL, reading, writing and listing objects, the keys of raw images.
Does not belong here: what the bytes mean, or which objects should exist (the ledger knows).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import obstore
from obstore.store import LocalStore, S3Store

# Folders with at least as many wanted objects are listed: about where a listing costs no more than the HEADs.
_LIST_FROM = 20


class StoreUrlError(ValueError):
    """`IMAGE_STORE_URL` cannot be used; the message says why and what is expected."""


@dataclass(frozen=True)
class StoredObject:
    """One object of a listing: its key, its size in bytes, and the store's tag for this very content."""

    key: str
    size: int
    etag: str


@dataclass(frozen=True)
class ObjectStore:
    """Objects under keys relative to `url`. Safe to share between threads; the I/O holds no GIL."""

    url: str
    store: Any

    def put(self, key: str, data: bytes) -> None:
        """Write one object; a reader sees the old content or the new one, never a part."""
        obstore.put(self.store, key, data)

    async def put_async(self, key: str, data: bytes) -> None:
        """`put`, for the event loop."""
        await obstore.put_async(self.store, key, data)

    def put_file(self, key: str, path: Path) -> None:
        """Upload a local file, in parts where it is large."""
        obstore.put(self.store, key, path)

    def get(self, key: str) -> bytes:
        """The content of one object. Raises FileNotFoundError when there is none."""
        return bytes(obstore.get(self.store, key).bytes())

    async def get_async(self, key: str) -> bytes:
        """`get`, for the event loop."""
        response = await obstore.get_async(self.store, key)
        return bytes(await response.bytes_async())

    def download(self, key: str, path: Path) -> None:
        """Write one object's content to a local file, in flat memory."""
        with path.open("wb") as target:
            for chunk in obstore.get(self.store, key).stream():
                target.write(chunk)

    def objects(self, prefix: str) -> Iterator[StoredObject]:
        """The objects whose key starts with the folder `prefix`, in no particular order."""
        for chunk in obstore.list(self.store, prefix.rstrip("/")):
            for entry in chunk:
                yield StoredObject(entry["path"], entry["size"], str(entry["e_tag"]).strip('"'))

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
            return {item.key for item in self.objects(name)}
        return {key for key in keys if self._exists(key)}

    def _exists(self, key: str) -> bool:
        try:
            obstore.head(self.store, key)
        except FileNotFoundError:
            return False
        return True

    def delete(self, key: str) -> None:
        """Remove one object; removing what is not there is fine."""
        try:
            obstore.delete(self.store, key)
        except FileNotFoundError:
            return


def raw_image_key(sha256: str) -> str:
    """Where the original bytes of a content lie: `raw/<aa>/<sha256>`, `sha256` in hex."""
    return f"raw/{sha256[:2]}/{sha256}"


def open_store(url: str) -> ObjectStore:
    """Open `file:///folder` (made when missing) or `s3://bucket/prefix`.

    Endpoint, region and credentials are what boto3 finds. Raises StoreUrlError for any other URL and for an S3 URL
    without usable AWS settings.
    """
    parts = urlsplit(url)
    if parts.scheme == "file":
        if parts.netloc or not parts.path.startswith("/"):
            raise StoreUrlError(
                f"IMAGE_STORE_URL={url!r}: a file URL needs an absolute path, as in file:///data/images"
            )
        return ObjectStore(url, LocalStore(unquote(parts.path), mkdir=True))
    if parts.scheme == "s3":
        if not parts.netloc:
            raise StoreUrlError(f"IMAGE_STORE_URL={url!r}: an S3 URL names its bucket, as in s3://bucket/prefix")
        return ObjectStore(url, _s3_store(parts.netloc, parts.path.strip("/")))
    raise StoreUrlError(f"IMAGE_STORE_URL={url!r}: expected file:///folder or s3://bucket/prefix")


def _s3_store(bucket: str, prefix: str) -> S3Store:
    # boto3 is the field's way to find credentials (profiles, roles, containers); obstore only moves bytes.
    import boto3
    from obstore.auth.boto3 import Boto3CredentialProvider

    session = boto3.Session()
    if session.get_credentials() is None:
        raise StoreUrlError(f"IMAGE_STORE_URL=s3://{bucket}: no AWS credentials found (environment, profile or role)")
    client: Any = session.client("s3")
    endpoint: str = client.meta.endpoint_url
    custom_endpoint = bool(os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL"))
    return S3Store(
        bucket,
        prefix=prefix or None,
        endpoint=endpoint if custom_endpoint else None,
        region=session.region_name or "us-east-1",
        virtual_hosted_style_request=False,
        client_options={"allow_http": endpoint.startswith("http://")},
        credential_provider=Boto3CredentialProvider(session),
    )
