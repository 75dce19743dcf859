"""What people do in the UI, through its own requests, against `image-assets dev`; the gallery, in Chromium."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from end_to_end.ui import Ui, eventually, image_assets_dev
from homes import assert_no_process_of
from partner_site import PartnerSite, partner_site
from pictures import centre_crop, drawn, jpeg
from playwright.sync_api import sync_playwright

pytestmark = pytest.mark.long

CHROMIUM = Path("/usr/bin/chromium")
INGEST = ("catalogue_diffs", "raw_images", "fingerprints")
PICTURES = 6


@dataclass(frozen=True)
class Served:
    """A published small world with its UI; two releases are offered, only the newer one is built by itself."""

    ui: Ui
    site: PartnerSite
    store: Path

    def current(self) -> dict[str, str]:
        content: dict[str, str] = json.loads((self.store / "image-releases/current.json").read_text())
        return content


@pytest.fixture
def home() -> Iterator[Path]:
    # Not tmp_path: pytest closes its folders to other users, and as root the database server is another user.
    with tempfile.TemporaryDirectory(prefix="image-assets-test-") as folder:
        yield Path(folder).resolve()


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with tempfile.TemporaryDirectory(prefix="image-assets-test-") as folder, partner_site() as site:
        home = Path(folder).resolve()
        store = home / "store"
        offer(store, "alpha", "w1", [site.serve(f"/a/{n}.jpg", jpeg(drawn(n))) for n in range(PICTURES)])
        offer(store, "Ünï", "w1", [site.serve(f"/u/{n}.jpg", jpeg(centre_crop(drawn(n), 0.1))) for n in range(4)])
        release(store, "2026-W44", ["alpha"])
        release(store, "2026-W45", ["alpha", "Ünï"])
        with image_assets_dev(home, partners_file(home)) as ui:
            eventually((store / "image-releases/current.json").exists, ui.log.read_text)
            eventually(lambda: bool(ui.runs("publish_image_release", "2026-W45", "SUCCESS")), ui.log.read_text)
            yield Served(ui, site, store)


def offer(store: Path, partner: str, version: str, urls: list[str]) -> None:
    folder = store / "catalogues" / partner
    folder.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps({"accommodation_id": "1", "url": url}) for url in urls]
    (folder / f"{version}.jsonl").write_text("\n".join(lines))


def release(store: Path, name: str, partners: list[str]) -> None:
    (store / "data-releases").mkdir(exist_ok=True)
    rows = ["hotel_id,partner_id,accommodation_id", *(f"H1,{partner},1" for partner in partners)]
    (store / "data-releases" / f"{name}.csv").write_text("\n".join(rows))


def partners_file(home: Path) -> Path:
    settings = {"allow_private_addresses": True}
    file = home / "partners.yaml"
    file.write_text(json.dumps({"partners": {"alpha": settings, "Ünï": settings}}))
    return file


def test_a_backfill_over_all_partners_succeeds_and_asks_nothing_of_them_again(served: Served) -> None:
    before = sum(served.site.requests.values())
    assert served.ui.backfill(INGEST, ["alpha", "Ünï"]) == "COMPLETED_SUCCESS"
    assert sum(served.site.requests.values()) == before


def test_every_materialisation_says_how_much_how_long_and_how_fast(served: Served) -> None:
    for asset in (*INGEST, "hotel_groups", "image_groups", "priorities", "renditions", "image_release"):
        metadata = served.ui.metadata(asset)
        assert {"items", "seconds", "items_per_second"} <= metadata.keys(), asset
        assert all(isinstance(metadata[name], int | float) for name in ("items", "seconds", "items_per_second"))


def test_an_older_release_built_by_hand_needs_its_shards_first_and_does_not_become_current(served: Served) -> None:
    ui, current = served.ui, served.current()
    assert current["release_id"] == "2026-W45"
    ui.add_partition("release", "2026-W44")

    too_early = ui.events(ui.materialise("image_release", "2026-W44"))
    assert "materialise hotel_groups for it first" in failure(too_early)

    stages = ("hotel_groups", "image_groups", "priorities", "renditions", "image_release")
    assert ui.backfill(stages, ["2026-W44"]) == "COMPLETED_SUCCESS"
    assert served.current() == current
    assert list((served.store / "image-releases/2026-W44").glob("*/manifest.parquet"))
    metadata = ui.metadata("image_release")
    assert (metadata["published"], metadata["current"]) == (True, False)


def test_a_release_without_a_file_fails_with_the_name_of_the_file(served: Served) -> None:
    served.ui.add_partition("release", "1999-W01")
    events = served.ui.events(served.ui.materialise("hotel_groups", "1999-W01"))
    assert "There is no data-releases/1999-W01.csv" in failure(events)


def test_a_closed_gate_fails_its_run_once_and_says_what_to_do(served: Served) -> None:
    ui = served.ui
    offer(served.store, "alpha", "w2", [served.site.url("/a/0.jpg")])
    eventually(lambda: bool(ui.runs("ingest_catalogue", "alpha", "FAILURE")), ui.log.read_text)
    (run_id,) = ui.runs("ingest_catalogue", "alpha", "FAILURE")

    def told() -> list[str]:
        return [str(event.get("message")) for event in ui.events(run_id)]

    # Dagster's retry daemon has looked at the run and left it alone.
    eventually(lambda: any("Not retrying run" in message for message in told()), told)
    assert "deleted_share" in failure(ui.events(run_id))
    assert any("image-assets accept-shrink alpha w2" in message for message in told())
    assert "ExecutionStepUpForRetryEvent" not in {event["__typename"] for event in ui.events(run_id)}
    assert ui.runs("ingest_catalogue", "alpha", "FAILURE") == [run_id]


def failure(events: list[dict[str, object]]) -> str:
    """The error of the one failed step."""
    (failed,) = [event for event in events if event["__typename"] == "ExecutionStepFailureEvent"]
    return str(failed["error"])


@pytest.mark.skipif(not CHROMIUM.exists(), reason=f"there is no {CHROMIUM}")
@pytest.mark.parametrize("way", ["from disk", "through the UI's link"])
def test_every_picture_of_the_gallery_shows_in_a_browser(served: Served, way: str) -> None:
    key = served.current()["gallery"]
    page_url = f"file://{served.store}/{key}"
    if way == "through the UI's link":
        page_url = served.ui.metadata("image_release")["gallery"]
        assert page_url.startswith(f"http://127.0.0.1:{served.ui.port + 1}/image-releases/")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page()
        errors: list[str] = []
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(page_url)
        # Pictures further down load lazily.
        page.eval_on_selector_all("img", "images => images.forEach(image => image.loading = 'eager')")
        page.wait_for_function("[...document.images].every(image => image.complete)")
        widths = page.eval_on_selector_all("img", "images => images.map(image => image.naturalWidth)")
        browser.close()
    assert len(widths) >= PICTURES + 4
    assert all(width > 0 for width in widths)
    assert errors == []


def test_an_orderly_stop_leaves_no_process(home: Path, served: Served) -> None:
    offer(home / "store", "alpha", "w1", [served.site.url(f"/a/{n}.jpg") for n in range(PICTURES)])
    with image_assets_dev(home, partners_file(home)) as ui:
        eventually(lambda: bool(ui.runs("ingest_catalogue", "alpha", "STARTED")), ui.log.read_text)
    assert_no_process_of(home)
