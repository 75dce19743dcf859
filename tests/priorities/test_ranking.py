"""The order of a hotel's pictures, and which copy of each is published."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from image_assets.priorities import RANKING_VERSION, WEIGHTS, rank

PARTS = ["resolution", "sharpness", "exposure", "partner_position", "partners", "trust"]
OUTPUT = [
    "hotel_id",
    "image_group_id",
    "position",
    "sha256",
    "partner_id",
    "accommodation_id",
    "url",
    "width",
    "height",
    "score",
    *(f"part_{part}" for part in PARTS),
]


laws = settings(deadline=None, derandomize=True, max_examples=40)


def entry(url: str, **changes: object) -> dict[str, object]:
    """An ordinary catalogue entry; its group is its own unless changed."""
    ordinary: dict[str, object] = {
        "hotel_id": "h1",
        "image_group_id": f"group of {url}",
        "sha256": f"sha of {url}",
        "partner_id": "lodgia",
        "accommodation_id": "0123",
        "url": url,
        "position": float("nan"),
        "trust": 1.0,
        "width": 1024,
        "height": 768,
        "sharpness": 300.0,
        "brightness": 125.0,
        "contrast": 45.0,
        "colourfulness": 30.0,
    }
    return {**ordinary, **changes}


def ranked(*entries: dict[str, object]) -> pd.DataFrame:
    return rank(pd.DataFrame(entries))


def order(*entries: dict[str, object]) -> list[str]:
    return ranked(*entries)["url"].tolist()


def published(*entries: dict[str, object]) -> str:
    """The URL that is published when all entries show the same picture."""
    result = ranked(*({**one, "image_group_id": "g"} for one in entries))
    assert len(result) == 1
    return str(result["url"].iloc[0])


text = st.sampled_from(["a", "b", "B", "ü", "𝄞", "\uffee", "10", "9", "$abc"])
measures = st.sampled_from([0.0, 40.0, 120.0, 130.0, 250.0, 900.0])
candidate = st.fixed_dictionaries(
    {
        "hotel_id": st.sampled_from(["h1", "ü"]),
        "image_group_id": st.sampled_from(["g1", "g2", "g3"]),
        "sha256": text,
        "partner_id": text,
        "accommodation_id": text,
        "url": text,
        "position": st.sampled_from([float("nan"), 0.0, 1.0, 2.0, 10.0]),
        "trust": st.sampled_from([0.0, 0.5, 1.0]),
        "width": st.sampled_from([300, 640, 4000]),
        "height": st.sampled_from([200, 480, 3000]),
        "sharpness": measures,
        "brightness": st.floats(0, 255),
        "contrast": st.floats(0, 127.5),
        "colourfulness": measures,
    }
)
candidates = st.lists(
    candidate,
    min_size=1,
    max_size=25,
    unique_by=lambda one: tuple(
        one[key] for key in ("hotel_id", "image_group_id", "partner_id", "accommodation_id", "url")
    ),
)


@laws
@given(candidates, st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_matter(rows: list[dict[str, object]], random) -> None:
    shuffled = random.sample(rows, len(rows))
    assert_frame_equal(ranked(*rows), ranked(*shuffled), check_exact=True)


@laws
@given(candidates)
def test_a_hotel_is_ranked_as_if_it_were_alone(rows: list[dict[str, object]]) -> None:
    together = ranked(*rows)
    for hotel_id, part in together.groupby("hotel_id"):
        alone = ranked(*(row for row in rows if row["hotel_id"] == hotel_id))
        assert_frame_equal(part.reset_index(drop=True), alone, check_exact=True)


@laws
@given(candidates)
def test_every_group_is_published_once_with_one_of_its_entries(rows: list[dict[str, object]]) -> None:
    result = ranked(*rows)
    groups = {(row["hotel_id"], row["image_group_id"]) for row in rows}
    assert sorted(zip(result["hotel_id"], result["image_group_id"], strict=True)) == sorted(groups)
    keys = ["hotel_id", "image_group_id", "sha256", "partner_id", "accommodation_id", "url", "width", "height"]
    offered = {tuple(row[key] for key in keys) for row in rows}
    assert set(result[keys].itertuples(index=False, name=None)) <= offered
    for _, hotel in result.groupby("hotel_id"):
        assert hotel["position"].tolist() == list(range(1, len(hotel) + 1))
        assert hotel["score"].is_monotonic_decreasing


@laws
@given(candidates)
def test_a_score_is_the_weighted_sum_of_its_stored_parts(rows: list[dict[str, object]]) -> None:
    result = ranked(*rows)
    parts = result[[f"part_{part}" for part in PARTS]].to_numpy()
    weights = np.array([dataclasses.asdict(WEIGHTS)[part] for part in PARTS])
    assert ((parts >= 0) & (parts <= 1)).all()
    assert np.abs(parts @ weights - result["score"]).max() <= 1e-6
    rounded = result[["score", *(f"part_{part}" for part in PARTS)]]
    assert (rounded.round(6) == rounded).all(axis=None)


def test_the_weights_sum_to_one() -> None:
    assert sum(dataclasses.asdict(WEIGHTS).values()) == pytest.approx(1)


def test_the_ranking_version_names_the_weights() -> None:
    assert str(WEIGHTS) in RANKING_VERSION


@pytest.mark.parametrize(
    "worse",
    [
        {"width": 512, "height": 384},
        {"sharpness": 60.0},
        {"brightness": 30.0},
        {"brightness": 235.0},
        {"contrast": 12.0},
        {"colourfulness": 4.0},
        {"trust": 0.4},
    ],
    ids=lambda worse: "-".join(worse),
)
def test_the_better_copy_is_published_and_the_better_picture_comes_first(worse: dict[str, object]) -> None:
    good, bad = entry("z"), entry("a", **worse)
    assert published(bad, good) == "z"
    assert order(bad, good) == ["z", "a"]


def test_pixels_beyond_two_megapixels_do_not_count() -> None:
    large, huge = entry("a", width=2000, height=1000), entry("b", width=8000, height=4000)
    result = ranked(large, huge)
    assert result["part_resolution"].tolist() == [1.0, 1.0]
    assert result["url"].tolist() == ["a", "b"]


def test_the_partners_own_order_is_kept_among_equal_pictures() -> None:
    shuffled = [entry(f"{7 * place % 10}", position=float(place)) for place in (4, 1, 6, 2, 9, 3, 5)]
    expected = [str(7 * place % 10) for place in (1, 2, 3, 4, 5, 6, 9)]
    assert order(*shuffled) == expected


def test_positions_from_zero_from_one_and_in_tens_mean_the_same() -> None:
    counted = [
        ranked(*(entry(f"{place}", position=float(first + step * place)) for place in range(4)))
        for first, step in ((0, 1), (1, 1), (10, 10))
    ]
    assert_frame_equal(counted[0], counted[1])
    assert_frame_equal(counted[0], counted[2])


def test_a_picture_without_a_position_comes_between_a_partners_first_and_last() -> None:
    listed = [entry(f"{place:02}", position=float(place)) for place in range(20)]
    places = order(*listed, entry("none", partner_id="other")).index("none")
    assert 0 < places < 20


def test_a_hotel_where_no_partner_gives_positions_is_ranked() -> None:
    frame = pd.DataFrame([entry("a"), entry("b")])
    frame["position"] = pd.Series([None, None], dtype=object)
    assert rank(frame)["part_partner_position"].tolist() == [0.5, 0.5]


def test_a_picture_that_more_partners_show_comes_first() -> None:
    rows = [
        entry("a", image_group_id="rare"),
        *(entry(f"z{n}", image_group_id="popular", partner_id=f"partner {n}") for n in range(3)),
    ]
    result = ranked(*rows)
    assert result["image_group_id"].tolist() == ["popular", "rare"]
    assert result["part_partners"].tolist() == [pytest.approx(2 / 3, abs=1e-6), 0]


def test_a_partner_that_shows_a_picture_twice_counts_once() -> None:
    twice = [entry("a", image_group_id="g"), entry("b", image_group_id="g", accommodation_id="456")]
    assert ranked(*twice)["part_partners"].tolist() == [0]


def test_equal_copies_are_decided_by_sha_then_partner_then_accommodation_then_url() -> None:
    copies = [
        entry("u1", sha256="s2", partner_id="a"),
        entry("u1", sha256="s1", partner_id="b"),
        entry("u0", sha256="s1", partner_id="a", accommodation_id="9"),
        entry("u3", sha256="s1", partner_id="a", accommodation_id="10"),
        entry("u2", sha256="s1", partner_id="a", accommodation_id="10"),
    ]
    assert published(*copies) == "u2"


def test_ties_compare_text_by_bytes_not_by_a_language() -> None:
    urls = ["ä", "Z", "a", "\U0001d11e", "\uffee", "é"]
    expected = sorted(urls, key=str.encode)
    rows = [entry(url, sha256="same", image_group_id=f"g{9 - expected.index(url)}") for url in urls]
    assert order(*rows) == expected


def test_the_same_content_from_two_partners_is_published_for_the_one_that_ranks_it_higher() -> None:
    rows = [
        entry("second", partner_id="a", sha256="s", position=2.0),
        entry("first", partner_id="b", sha256="s", position=1.0),
    ]
    first_of_a = entry("other", partner_id="a", position=1.0)
    result = ranked(*({**row, "image_group_id": "g"} for row in rows), first_of_a)
    assert result.loc[result["image_group_id"] == "g", "url"].tolist() == ["first"]


def test_an_empty_frame_gives_an_empty_frame_with_the_same_columns_and_types() -> None:
    full = ranked(entry("a"))
    empty = rank(pd.DataFrame(columns=list(entry("a"))))
    assert len(empty) == 0
    assert empty.columns.tolist() == OUTPUT
    assert empty.dtypes.equals(full.dtypes)
    assert full.dtypes[["position", "width", "height"]].eq("int64").all()
    assert full.dtypes[["score", *(f"part_{part}" for part in PARTS)]].eq("float64").all()


def test_the_frame_that_was_given_is_left_as_it_was() -> None:
    frame = pd.DataFrame([entry("b"), entry("a", position=3.0)])
    before = frame.copy(deep=True)
    rank(frame)
    assert_frame_equal(frame, before)
