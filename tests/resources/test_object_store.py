"""The object store's operations, the same on a local folder and on an S3 API over a socket."""

from __future__ import annotations

import asyncio
import io
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from obstore.exceptions import BaseError
from s3_server import S3Server, s3_server

from resources.object_store import ObjectStore, StoreGone, StoreUrlError, open_store, raw_image_key, store_fault

ODD_NAMES = [
    "Ünï",
    "u\u0308ni\u0308",  # the same in another Unicode form is another name
    "$abc",
    "two words",
    " space ",
    "a#b",
    "%41",
    "%2F",
    "100%",
    "a+b",
    "a&b=c",
    "q?x=1",
    'it\'s "so"',
    "a\\b",
    "<x>",
    "[{~^`|}]*",
    "a:b;c@d!,",
    "日本",
    "...x",
]
WRITER = """
import asyncio, sys
from resources.object_store import open_store

async def main(store):
    await asyncio.gather(*map(store.put_share_async, store.shares([("a/one", b"1")])))
    await asyncio.gather(*(store.get_async("a/one") for _ in range(100)))

asyncio.run(main(open_store(sys.argv[1])))
"""
# More than a part of a multi-part upload and than a chunk of a streamed download.
LARGE = np.random.default_rng(1).bytes(13 * 2**20 + 7)


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server


@pytest.fixture(params=["file", "s3", "s3 with prefix"])
def store(
    request: pytest.FixtureRequest, server: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> ObjectStore:
    if request.param == "file":
        return open_store((tmp_path / "störe #1 %41 ?").as_uri())
    server.use(monkeypatch)
    return open_store(f"s3://{server.new_bucket()}{'/prä fix/%41 #1?' if request.param == 's3 with prefix' else ''}")


@pytest.fixture
def s3_store(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> ObjectStore:
    server.use(monkeypatch)
    return open_store(f"s3://{server.new_bucket()}/images")


def keys(store: ObjectStore, folder: str) -> list[str]:
    return sorted(item.key for item in store.objects(folder))


def test_what_was_put_is_got_and_listed_with_its_size(store: ObjectStore) -> None:
    store.put("a/b/one", b"first")
    store.put("a/two", b"")
    store.put("c/three", b"third")
    assert store.get("a/b/one") == b"first"
    assert store.get("a/two") == b""
    assert asyncio.run(store.get_async("c/three")) == b"third"
    assert sorted((item.key, item.size) for item in store.objects("a")) == [("a/b/one", 5), ("a/two", 0)]


def test_a_put_replaces_what_was_there(store: ObjectStore) -> None:
    store.put("a", b"longer before")
    store.put("a", b"after")
    assert store.get("a") == b"after"


def test_a_share_that_meets_a_fault_goes_on_with_what_is_not_put_yet(tmp_path: Path) -> None:
    store = open_store(tmp_path.as_uri())
    (tmp_path / "b").write_text("no folder")
    (share, *others) = store.shares((f"{folder}/{n}", b"x") for n, folder in enumerate("aaaabbbbaaaa"))
    with pytest.raises(OSError):
        asyncio.run(store.put_share_async(share))
    assert [key for key, _ in share] == ["b/4", "a/8"]
    (tmp_path / "b").unlink()
    for rest in (share, *others):
        asyncio.run(store.put_share_async(rest))
    assert len(keys(store, "a") + keys(store, "b")) == 12


def test_odd_names_are_kept_exactly_as_folder_and_as_object(store: ObjectStore) -> None:
    for name in ODD_NAMES:
        key = f"{name}/{name}.csv"
        store.put(key, name.encode())
        assert store.get(key) == name.encode()
        assert keys(store, name) == [key]
        others = [f"{name}/{number}" for number in range(30)]
        assert store.missing([key]) == []
        assert store.missing([key, *others]) == others
        store.delete(key)
        assert store.missing([key]) == [key]


def test_odd_names_do_not_run_into_one_another(store: ObjectStore) -> None:
    for name in ODD_NAMES:
        store.put(f"names/{name}", name.encode())
    assert keys(store, "names") == sorted(f"names/{name}" for name in ODD_NAMES)
    assert [store.get(f"names/{name}") for name in ODD_NAMES] == [name.encode() for name in ODD_NAMES]


def test_the_names_in_an_s3_bucket_are_the_keys_themselves(s3_store: ObjectStore, server: S3Server) -> None:
    """What other tools write is found under its name, and they find what we write."""
    bucket = s3_store.url.split("/")[2]
    for name in ODD_NAMES:
        server.client.put_object(Bucket=bucket, Key=f"images/theirs/{name}", Body=b"theirs")
        s3_store.put(f"ours/{name}", b"ours")
        assert s3_store.get(f"theirs/{name}") == b"theirs"
        assert server.client.get_object(Bucket=bucket, Key=f"images/ours/{name}")["Body"].read() == b"ours"
    assert keys(s3_store, "theirs") == sorted(f"theirs/{name}" for name in ODD_NAMES)


def test_a_file_stores_names_are_file_names(tmp_path: Path) -> None:
    folder = tmp_path / "störe #1 %41 ?"
    store = open_store(folder.as_uri())
    for name in ODD_NAMES:
        store.put(f"ours/{name}", b"")
    assert sorted(path.name for path in (folder / "ours").iterdir()) == sorted(ODD_NAMES)


def test_a_listing_is_of_a_folder_not_of_names_that_begin_alike(store: ObjectStore) -> None:
    for key in ("alpha/1", "alpha/deep/2", "alphabet/3", "al/4"):
        store.put(key, b"x")
    assert keys(store, "alpha") == keys(store, "alpha/") == ["alpha/1", "alpha/deep/2"]
    assert keys(store, "alp") == keys(store, "nothing") == []


def test_a_listing_has_more_than_one_page(s3_store: ObjectStore) -> None:
    wanted = [f"many/{number:04}" for number in range(1_050)]

    async def put_all() -> None:
        await asyncio.gather(*map(s3_store.put_share_async, s3_store.shares((key, b"x") for key in wanted)))

    asyncio.run(put_all())
    assert keys(s3_store, "many") == wanted
    assert s3_store.missing(["many/none", *wanted]) == ["many/none"]


def test_folders_are_told_one_by_one_and_their_objects_page_by_page_with_their_time(store: ObjectStore) -> None:
    before = datetime.now(UTC) - timedelta(minutes=1)
    for key in ("a/one/1", "a/one/2", "a/two/deep/3", "a/4", "ab/5"):
        store.put(key, b"x")
    assert store.folders("a") == ["a/one", "a/two"]
    assert store.folders("none") == []
    listed = [item for page in store.pages(["a"]) for item in page]
    assert sorted(item.key for item in listed) == ["a/4", "a/one/1", "a/one/2", "a/two/deep/3"]
    assert all(before < item.written_at < before + timedelta(minutes=2) for item in listed)


def test_many_folders_are_listed_side_by_side_and_none_is_left_out(store: ObjectStore) -> None:
    wanted = [f"many/{number:02x}/{name}" for number in range(40) for name in "ab"]
    for key in wanted:
        store.put(key, b"x")
    pages = store.pages(["none", *store.folders("many"), "none/at/all"])
    assert sorted(item.key for page in pages for item in page) == wanted
    with closing(store.pages(store.folders("many"))) as unfinished:
        next(unfinished)


def test_many_objects_are_deleted_at_once_whether_they_are_there_or_not(store: ObjectStore) -> None:
    names = [f"a/{number}" for number in range(5)]
    for key in (*names, "a/kept"):
        store.put(key, b"x")
    store.delete_all([names[0], "a/none", *names[1:]])
    store.delete_all([*names, "none/at/all"])
    store.delete_all([])
    assert keys(store, "a") == ["a/kept"]


def test_an_object_can_be_read_in_parts(store: ObjectStore) -> None:
    store.put("large", LARGE)
    with store.open("large") as file:
        assert file.seek(-10, io.SEEK_END) == len(LARGE) - 10
        assert file.read() == LARGE[-10:]
        assert file.seek(2**20) == file.tell() == 2**20
        assert file.read(2**21) == LARGE[2**20 : 3 * 2**20]
    with pytest.raises(FileNotFoundError):
        store.open("none")


def test_missing_keeps_the_order_given_over_many_folders(store: ObjectStore) -> None:
    wanted = [f"{number % 7}/{number}" for number in range(200)]
    for key in wanted[::3]:
        store.put(key, b"x")
    absent = [key for key in reversed(wanted) if key not in wanted[::3]]
    assert store.missing(list(reversed(wanted))) == absent
    assert store.missing([]) == []


@pytest.mark.long
def test_a_process_that_ends_right_after_writing_and_reading_ends_well(tmp_path: Path) -> None:
    # obstore's own asynchronous calls abort such a process one time in ten; of 40 some would.
    ends = [subprocess.run([sys.executable, "-c", WRITER, tmp_path.as_uri()]).returncode for _ in range(40)]
    assert ends == [0] * 40


def test_absent_objects_are_not_found_and_leave_nothing_behind(store: ObjectStore, tmp_path: Path) -> None:
    store.put("a/b", b"x")
    for absent in ("a/none", "none", "a"):
        with pytest.raises(FileNotFoundError):
            store.get(absent)
        with pytest.raises(FileNotFoundError):
            asyncio.run(store.get_async(absent))
        with pytest.raises(FileNotFoundError):
            store.download(absent, tmp_path / "downloaded")
    assert not (tmp_path / "downloaded").exists()
    store.delete("a/none")
    assert store.get("a/b") == b"x"


@pytest.mark.parametrize("content", [b"", b"small", LARGE], ids=["empty", "small", "in parts"])
def test_files_of_any_size_go_up_and_come_down(store: ObjectStore, tmp_path: Path, content: bytes) -> None:
    up, down = tmp_path / "up", tmp_path / "down"
    up.write_bytes(content)
    store.put_file("files/up", up)
    assert store.get("files/up") == content
    down.write_bytes(b"what was there before")
    store.download("files/up", down)
    assert down.read_bytes() == content
    assert [item.size for item in store.objects("files")] == [len(content)]


def test_the_tag_changes_when_the_content_does_and_not_otherwise(store: ObjectStore) -> None:
    def tag() -> str:
        (item,) = store.objects("tags")
        return item.etag

    store.put("tags/a", b"one")
    first = tag()
    assert first == tag()
    store.put("tags/a", b"two")
    assert tag() != first
    assert '"' not in first


def test_empty_objects_that_mark_a_folder_are_no_objects(s3_store: ObjectStore, server: S3Server) -> None:
    """S3's console makes `folder/` for an empty folder."""
    bucket = s3_store.url.split("/")[2]
    for key in ("in/", "in/alpha/", "in/beta/", "in/alpha/w1.csv", "in/empty"):
        server.client.put_object(Bucket=bucket, Key=f"images/{key}", Body=b"")
    assert keys(s3_store, "in") == ["in/alpha/w1.csv", "in/empty"]


@pytest.mark.parametrize("name", ["in//x", "in/a/../b", "in/tab\tx", "in/./x"])
def test_one_unusable_name_in_a_bucket_does_not_hide_the_others(
    s3_store: ObjectStore, server: S3Server, name: str
) -> None:
    bucket = s3_store.url.split("/")[2]
    s3_store.put("in/good", b"x")
    usual = list(s3_store.objects("in"))
    for key in (name, "in/", "in/alpha/"):
        server.client.put_object(Bucket=bucket, Key=f"images/{key}", Body=b"y")
    assert keys(s3_store, "in") == sorted(["in/good", name])
    assert set(usual) < set(s3_store.objects("in"))


def test_one_unusable_name_in_a_folder_does_not_hide_the_others(tmp_path: Path) -> None:
    folder = tmp_path / "in" / "deep"
    folder.mkdir(parents=True)
    (folder / "good").write_bytes(b"x")
    store = open_store(f"file://{tmp_path}")
    usual = list(store.objects("in"))
    (folder / "tab\tx").write_bytes(b"y")
    (folder / "round").symlink_to(tmp_path / "in")
    (folder / "dangling").symlink_to(tmp_path / "nowhere")
    assert keys(store, "in") == ["in/deep/good", "in/deep/tab\tx"]
    assert set(usual) < set(store.objects("in"))
    assert keys(store, "other") == []


def test_a_name_that_is_not_utf_8_is_shown_as_far_as_it_can_be(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/in/\xdcn\xef.csv")).write_bytes(b"x")
    assert keys(open_store(f"file://{tmp_path}"), "in") == ["in/\ufffdn\ufffd.csv"]


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("", "expected file:///folder or s3://bucket/prefix"),
        ("/data/images", "expected file:///folder or s3://bucket/prefix"),
        ("gs://bucket/x", "expected file:///folder or s3://bucket/prefix"),
        ("file:relative", "expected file:///folder or s3://bucket/prefix"),
        ("file://relative/folder", "absolute path"),
        ("file:///data/a#b", "# as %23"),
        ("file:///data/a?b", "write ? as %3F"),
        ("s3://", "names its bucket"),
        ("s3:///prefix", "names its bucket"),
        ("s3://user:password@bucket/prefix", "names its bucket"),
    ],
)
def test_a_url_that_names_no_store_is_refused_with_what_is_expected(url: str, problem: str) -> None:
    with pytest.raises(StoreUrlError) as refused:
        open_store(url)
    assert problem in str(refused.value)
    assert str(refused.value).startswith(f"IMAGE_STORE_URL={url!r}: ")
    assert "\n" not in str(refused.value)


def test_a_folder_that_cannot_be_made_is_refused_with_the_cause(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreUrlError, match="Not a directory"):
        open_store(f"file://{tmp_path}/file/store")


@pytest.mark.parametrize(
    ("variables", "problem"),
    [
        ({"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}, "no AWS credentials found"),
        ({"AWS_SECRET_ACCESS_KEY": None}, "missing: AWS_SECRET_ACCESS_KEY"),
        ({"AWS_PROFILE": "nobody"}, "nobody"),
        ({"AWS_ENDPOINT_URL": "localhost:9000"}, "Invalid endpoint: localhost:9000"),
    ],
)
def test_aws_settings_that_cannot_be_used_are_named(
    server: S3Server, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str | None], problem: str
) -> None:
    server.use(monkeypatch)
    for name, value in variables.items():
        monkeypatch.delenv(name) if value is None else monkeypatch.setenv(name, value)
    with pytest.raises(StoreUrlError, match=problem):
        open_store("s3://bucket")


def test_an_endpoint_may_stand_in_the_profile_and_end_in_a_slash(
    server: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    server.use(monkeypatch)
    config = tmp_path / "config"
    config.write_text(f"[default]\nregion = eu-west-1\nendpoint_url = {server.endpoint}/\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    for name in ("AWS_ENDPOINT_URL", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name)
    store = open_store(f"s3://{server.new_bucket()}")
    store.put("a", b"x")
    assert keys(store, "") == ["a"]


def test_a_bucket_that_does_not_exist_is_told_in_one_line(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    server.use(monkeypatch)
    store = open_store("s3://nowhere-to-be-found/prefix")
    for attempt in (lambda: store.put("a", b"x"), lambda: list(store.objects("a"))):
        with pytest.raises((BaseError, FileNotFoundError)) as refused:
            attempt()
        assert store_fault(refused.value) == "NoSuchBucket: The specified bucket does not exist"


def test_raw_images_lie_under_the_first_two_digits_of_their_content() -> None:
    assert raw_image_key("ab" + "0" * 62) == "raw/ab/ab" + "0" * 62


def test_an_original_that_is_missing_is_told_from_a_store_that_is_not_there(store: ObjectStore) -> None:
    sha256 = "ab" * 32
    with pytest.raises(StoreGone, match="is it mounted, and the right store"):
        store.get_original(sha256)
    store.put("catalogues/alpha/w1.csv", b"x")
    with pytest.raises(FileNotFoundError):
        store.get_original(sha256)
    with pytest.raises(FileNotFoundError):
        asyncio.run(store.get_original_async(sha256))
    store.put(raw_image_key(sha256), b"bytes")
    assert store.get_original(sha256) == asyncio.run(store.get_original_async(sha256)) == b"bytes"


def test_a_bucket_that_is_not_there_lacks_no_original(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """S3 answers 404 for each of its objects."""
    server.use(monkeypatch)
    with pytest.raises(BaseError, match="NoSuchBucket"):
        open_store("s3://nobody-made-it").get_original("ab" * 32)
