"""Many images at once: in order, within the budgets, nothing told before it is written, and no trouble lost."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace

import pytest
from pictures import drawn, jpeg

from image_assets.renditions import Recipe, Rendition, making
from image_assets.renditions.making import ByteBudget, Wanted, made_of

RECIPES = [Recipe("small", 100, 100), Recipe("large", 400, 300)]


class Places:
    """Originals to read, and a folder in memory to write to; both count what goes on at the same time."""

    def __init__(self, originals: dict[str, bytes]):
        self.originals = originals
        self.written: dict[str, bytes] = {}
        self.lock = threading.Lock()
        self.writing = self.most_writing = 0

    def read(self, sha256: str) -> bytes:
        try:
            return self.originals[sha256]
        except KeyError:
            raise FileNotFoundError(sha256) from None

    def write(self, key: str, data: bytes) -> None:
        with self.lock:
            self.writing += len(data)
            self.most_writing = max(self.most_writing, self.writing)
        with self.lock:
            self.written[key] = data
            self.writing -= len(data)


def name(number: int) -> str:
    return f"{number:064x}"


def wanted(numbers: range) -> list[Wanted]:
    return [Wanted(name(number), 1000, RECIPES) for number in numbers]


def test_results_come_in_order_with_all_their_objects_written_and_nothing_else() -> None:
    places = Places({name(number): jpeg(drawn(number)) for number in range(12)})
    for number, made in enumerate(made_of(wanted(range(12)), places.read, places.write)):
        assert made.sha256 == name(number)
        assert [stored.recipe for stored in made.stored] == ["small", "large"]
        for stored in made.stored:
            assert len(places.written[stored.key]) == stored.bytes
    assert len(places.written) == 24


def test_what_cannot_be_read_and_what_is_not_there_are_told_and_stop_nothing() -> None:
    places = Places({name(0): b"no image", name(2): jpeg(drawn(2))})
    unreadable, lost, good = made_of(wanted(range(3)), places.read, places.write)
    assert (unreadable.failure, unreadable.flawed, unreadable.lost) == ("not an image in a known format", False, False)
    assert (lost.failure, lost.lost) == (None, True)
    assert len(good.stored) == 2


def test_a_flawed_rendition_is_told_and_none_of_its_image_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """The encoder's damage cannot be had from outside: what it makes is cut off on its way to the check."""
    places = Places({name(number): jpeg(drawn(number)) for number in range(2)})
    render = making.render
    monkeypatch.setattr(
        making,
        "render",
        lambda data, recipes: {
            recipe: replace(made, data=made.data[:-50]) if data == places.originals[name(0)] else made
            for recipe, made in render(data, recipes).items()
        },
    )
    flawed, sound = made_of(wanted(range(2)), places.read, places.write)
    assert flawed.flawed
    assert flawed.failure is not None
    assert "small does not decode" in flawed.failure
    assert {key for key in places.written if name(0) in key} == set()
    assert len(sound.stored) == 2


def test_a_store_that_fails_ends_it_with_the_cause() -> None:
    places = Places({name(number): jpeg(drawn(number)) for number in range(5)})

    def write(key: str, data: bytes) -> None:
        raise OSError("the store is full")

    with pytest.raises(OSError, match="the store is full"):
        list(made_of(wanted(range(5)), places.read, write))


@pytest.mark.parametrize(("room", "at_once"), [(2.0, 2), (1.9, 1), (1.0, 1), (0.5, 1)])
def test_images_are_rendered_at_once_as_far_as_their_memory_allows(
    monkeypatch: pytest.MonkeyPatch, room: float, at_once: int
) -> None:
    """`room`: for so many images. Each waits until as many go on as are expected."""
    data = jpeg(drawn(1))
    monkeypatch.setattr(making, "RENDERERS", 2)
    monkeypatch.setattr(making, "MEMORY_AT_ONCE", int(room * making.memory_to_render(data, RECIPES)))
    render, lock = making.render, threading.Lock()
    going_on: list[int] = []
    now = 0
    both = threading.Barrier(at_once)

    def counted(data: bytes, recipes: Sequence[Recipe]) -> dict[str, Rendition]:
        nonlocal now
        with lock:
            now += 1
            going_on.append(now)
        both.wait(30)
        made = render(data, recipes)
        with lock:
            now -= 1
        return made

    monkeypatch.setattr(making, "render", counted)
    places = Places({name(number): data for number in range(6)})
    assert len(list(made_of(wanted(range(6)), places.read, places.write))) == 6
    assert max(going_on) == at_once


def test_uploads_hold_rendering_back_when_their_budget_is_used_up() -> None:
    budget = ByteBudget(100)
    budget.take(60)
    budget.take(40)
    entered, passed = threading.Event(), threading.Event()

    def third() -> None:
        entered.set()
        budget.take(500)
        passed.set()

    thread = threading.Thread(target=third)
    thread.start()
    entered.wait()
    budget.give_back(60)
    assert not passed.wait(0.05), "larger than the budget, it goes alone"
    budget.give_back(40)
    assert passed.wait(10)
    thread.join()


def test_bytes_being_written_stay_within_the_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    places = Places({name(number): jpeg(drawn(number)) for number in range(12)})
    one = sum(stored.bytes for made in made_of(wanted(range(1)), places.read, places.write) for stored in made.stored)
    monkeypatch.setattr(making, "UPLOAD_BYTES_AT_ONCE", one)
    places.most_writing = 0
    assert len(list(made_of(wanted(range(12)), places.read, places.write))) == 12
    assert 0 < places.most_writing <= one
