"""The gallery page: what it shows, that it is safe, and that its links lead somewhere."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

import pandas as pd
import pytest

from image_assets.image_release.gallery import (
    GALLERY_HOTELS,
    GalleryCopy,
    GalleryHotel,
    GalleryPicture,
    GalleryRendition,
    gallery_hotels,
    render_gallery,
)
from image_assets.image_release.summary import ReleaseSummary

PUBLISHED, OTHER = 64 * "a", 64 * "b"
HOSTILE = "<script>alert('x')</script>\"><img src=x onerror=alert(1)>"
RENDITIONS = tuple(
    GalleryRendition(
        name, f"renditions/{name}/aa/{PUBLISHED}-0123456789ab.jpg", width, width * 3 // 4, 100 * width, "jpeg"
    )
    for name, width in (("huge", 1920), ("card", 640), ("tiny", 75), ("thumbnail", 150))
)


def copy(sha256: str = PUBLISHED, partner: str = "ünï", accommodation: str = "0123", url: str = "") -> GalleryCopy:
    return GalleryCopy(sha256, partner, accommodation, url or f"https://example.com/{sha256[:4]}.jpg?a=1&b=2")


def picture(position: int = 1, copies: tuple[GalleryCopy, ...] = (copy(), copy(OTHER))) -> GalleryPicture:
    return GalleryPicture(
        position=position,
        image_group_id=f"group {position}",
        published=copies[0],
        width=2000,
        height=1500,
        score=0.7314,
        score_parts=(("resolution", 0.9), ("partner_position", 0.25)),
        renditions=RENDITIONS,
        copies=copies,
    )


def summary(hotels: int = 3) -> ReleaseSummary:
    return ReleaseSummary(
        release_id="2026-W45",
        manifest_digest="cd" * 32,
        hotels=hotels + 1,
        hotels_with_images=hotels,
        available_images=12_345,
        image_groups=25,
        published_images=24,
        duplicates_removed=35,
        renditions=336,
        rendition_bytes=12_345_678,
        published_by_partner={"ünï": 20, HOSTILE: 4},
    )


def test_what_no_gate_stops_is_told_where_there_is_any() -> None:
    quiet = render_gallery("2026-W45", [], summary())
    told = render_gallery("2026-W45", [], replace(summary(), placeholder_images=1234, weak_groups=2))
    assert "Worth a look" not in quiet
    text = " ".join(part for part in Elements(told).text if part)
    assert "Worth a look image groups held together weakly 2 images left out as placeholders 1,234" in text


class Elements(HTMLParser):
    """The tags of a page with their attributes, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.text.append(data.strip())

    def values(self, tag: str, name: str) -> list[str]:
        return [attributes[name] for each, attributes in self.tags if each == tag and name in attributes]


def test_pictures_stand_in_their_order_with_the_copies_they_stand_for() -> None:
    hotel = GalleryHotel("bilbao-hot1", (picture(1), picture(2)))
    elements = Elements(render_gallery("2026-W45", [hotel], summary()))
    card, thumbnail = (f"../../../{RENDITIONS[index].key}" for index in (1, 3))
    raw = f"../../../raw/bb/{OTHER}"
    assert elements.values("img", "src")[:6] == [card, thumbnail, raw, card, thumbnail, raw]
    assert set(elements.values("img", "loading")) == {"lazy"}
    assert "bilbao-hot1" in elements.text
    assert elements.text.count("published") == 2
    assert "0.731" in elements.text
    assert elements.values("i", "style")[-2:] == ["width:90.0%", "width:25.0%"]
    assert "https://example.com/bbbb.jpg?a=1&b=2" in elements.values("a", "href")


def test_the_contact_sheet_shows_the_first_picture_by_every_recipe_with_pixels_format_and_bytes() -> None:
    hotels = [GalleryHotel("none", ()), GalleryHotel("bilbao-hot1", (picture(1), picture(2)))]
    elements = Elements(render_gallery("2026-W45", hotels, summary()))
    from_small_to_large = sorted(RENDITIONS, key=lambda rendition: rendition.width)
    assert elements.values("img", "src")[-len(RENDITIONS) :] == [f"../../../{r.key}" for r in from_small_to_large]
    assert elements.values("a", "href").count("#contact-sheet") == 1
    text = " ".join(filter(None, elements.text))
    for rendition in RENDITIONS:
        kilobytes = (
            f"{rendition.bytes / 1000:.0f} kB" if rendition.bytes >= 10_000 else f"{rendition.bytes / 1000:.1f} kB"
        )
        assert f"{rendition.recipe} {rendition.width} × {rendition.height} · jpeg · {kilobytes}" in text


def test_without_a_picture_there_is_no_contact_sheet() -> None:
    assert "contact-sheet" not in render_gallery("2026-W45", [GalleryHotel("none", ())], summary())


def test_every_link_leads_to_a_file_of_the_store(tmp_path: Path) -> None:
    hotels = [
        GalleryHotel(
            "Ünï/cødé", (picture(1), picture(2, (copy(), *(copy(OTHER, url=f"https://x/{i}") for i in range(6)))))
        ),
        GalleryHotel("$abc", (replace(picture(1), renditions=()),)),
        GalleryHotel("0123", ()),
    ]
    folder = tmp_path / "image-releases" / "ünï 50%" / "cd"
    keys = [rendition.key for rendition in RENDITIONS] + [f"raw/aa/{PUBLISHED}", f"raw/bb/{OTHER}"]
    for path in [
        folder / "gallery.html",
        folder / "manifest.parquet",
        folder / "summary.json",
        *map(tmp_path.joinpath, keys),
    ]:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    elements = Elements(render_gallery("ünï 50%", hotels, summary()))
    identifiers = {attributes["id"] for _, attributes in elements.tags if "id" in attributes}
    page = (folder / "gallery.html").as_uri()
    links = elements.values("img", "src") + elements.values("a", "href")
    followed = 0
    for link in links:
        address = urlsplit(urljoin(page, link))
        if address.scheme == "file":
            followed += 1
            assert Path(unquote(address.path)).is_file(), link
            assert not address.fragment or address.fragment in identifiers
        else:
            assert link in [each.url for hotel in hotels for shown in hotel.pictures for each in shown.copies]
    assert followed >= 18


def test_keys_are_quoted_in_links() -> None:
    odd = (GalleryRendition("odd", "renditions/ü%20 ?#&/x.jpg", 640, 480, 1, "jpeg"),)
    page = render_gallery("r", [GalleryHotel("h", (replace(picture(), renditions=odd),))], summary())
    assert 'src="../../../renditions/%C3%BC%2520%20%3F%23%26/x.jpg"' in page


def test_hostile_names_are_shown_as_text() -> None:
    hostile = picture(1, (copy(partner=HOSTILE, accommodation=HOSTILE, url="https://x/" + HOSTILE),))
    page = render_gallery(HOSTILE, [GalleryHotel(HOSTILE, (hostile,))], summary())
    elements = Elements(page)
    assert "script" not in {tag for tag, _ in elements.tags}
    assert not [name for _, attributes in elements.tags for name in attributes if name.startswith("on")]
    assert len(elements.values("img", "src")) == 2 + len(RENDITIONS)
    assert HOSTILE in "".join(elements.text)


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "JaVaScRiPt:alert(1)", "data:text/html,x", " https://x", "//x/y"]
)
def test_only_web_addresses_become_links(url: str) -> None:
    page = render_gallery("r", [GalleryHotel("h", (picture(1, (copy(url=url),)),))], summary())
    elements = Elements(page)
    assert url not in elements.values("a", "href")
    assert url.strip() in elements.text


def test_nothing_is_loaded_from_elsewhere_and_no_script_runs() -> None:
    elements = Elements(render_gallery("r", [GalleryHotel("h", (picture(),))], summary()))
    assert not {"script", "iframe", "object"} & {tag for tag, _ in elements.tags}
    assert elements.values("link", "href") == ["data:,"]  # an empty icon, or browsers ask the store for one
    assert all(src.startswith("../../../") for src in elements.values("img", "src"))
    assert "url(" not in "".join(elements.text)
    assert "@import" not in "".join(elements.text)


def test_further_copies_unfold() -> None:
    copies = (copy(), *(copy(OTHER, accommodation=str(number)) for number in range(5)))
    elements = Elements(render_gallery("r", [GalleryHotel("h", (picture(1, copies),))], summary()))
    assert "3 more" in elements.text
    assert len(elements.values("img", "src")) == 1 + len(copies) + len(RENDITIONS)


def test_the_page_shows_the_first_hotels_and_says_so() -> None:
    hotels = [GalleryHotel(f"hotel {number:04}", (picture(),)) for number in range(GALLERY_HOTELS + 50)]
    text = Elements(render_gallery("r", hotels, summary(hotels=1250))).text
    assert [each for each in text if each.startswith("hotel 0")] == [
        hotel.hotel_id for hotel in hotels[:GALLERY_HOTELS]
    ]
    assert "The first 200 of 1,250 hotels with images; the manifest lists them all." in text
    assert {"12,345", "12 MB"} <= set(text)


def test_the_same_release_gives_the_same_page() -> None:
    hotels = [GalleryHotel("h", (picture(1), picture(2)))]
    assert render_gallery("r", hotels, summary()) == render_gallery("r", hotels, summary())


def test_hotels_are_gathered_from_the_manifests_tables() -> None:
    published, other = copy(), copy(OTHER, partner="$abc")
    priorities = pd.DataFrame(
        [
            {"hotel_id": "h", "position": position, "image_group_id": f"group {position}", "sha256": PUBLISHED}
            | {"partner_id": published.partner_id, "accommodation_id": "0123", "url": published.url}
            | {"width": 2000, "height": 1500, "score": 0.7314, "part_resolution": 0.9, "part_partner_position": 0.25}
            for position in (2, 1)
        ]
    )
    members = pd.DataFrame(
        [
            {"hotel_id": "h", "image_group_id": f"group {position}", "sha256": each.sha256}
            | {"partner_id": each.partner_id, "accommodation_id": each.accommodation_id, "url": each.url}
            for position in (1, 2)
            for each in (published, other)
        ]
    )
    renditions = pd.DataFrame(
        [
            {"sha256": PUBLISHED, "recipe": each.key.split("/")[1], "key": each.key}
            | {"width": each.width, "height": each.height, "bytes": each.bytes, "format": each.format}
            for each in RENDITIONS
        ]
    )
    by_recipe = tuple(sorted(RENDITIONS, key=lambda each: each.key))
    expected = tuple(
        replace(picture(position), published=published, copies=(other, published), renditions=by_recipe)
        for position in (1, 2)
    )
    assert gallery_hotels(["h", "none"], priorities, members, renditions) == [
        GalleryHotel("h", expected),
        GalleryHotel("none", ()),
    ]
