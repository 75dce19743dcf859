"""How many hotels are grouped at once: as many as memory allows, whatever their sizes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from image_assets.image_groups.asset import batches


def test_a_batch_ends_before_its_hotels_or_images_are_too_many() -> None:
    hotels = [("a", 3), ("b", 0), ("c", 4), ("d", 99), ("e", 1), ("f", 1), ("g", 1), ("h", 1)]
    assert list(batches(hotels, most_hotels=3, most_images=5)) == [["a", "b"], ["c"], ["d"], ["e", "f", "g"], ["h"]]


@given(st.lists(st.integers(0, 50)), st.integers(1, 5), st.integers(1, 60))
def test_every_hotel_is_in_one_batch_in_order_and_only_a_single_one_is_too_large(
    images: list[int], most_hotels: int, most_images: int
) -> None:
    hotels = [(f"H{number}", count) for number, count in enumerate(images)]
    count_of = dict(hotels)
    made = list(batches(hotels, most_hotels, most_images))
    assert [hotel for batch in made for hotel in batch] == [hotel for hotel, _ in hotels]
    for batch in made:
        assert 1 <= len(batch) <= most_hotels
        assert len(batch) == 1 or sum(count_of[hotel] for hotel in batch) <= most_images
