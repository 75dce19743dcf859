"""`image-assets gc` killed between any two of its steps, and with a writer at work between any two of its steps."""

from __future__ import annotations

import json
import multiprocessing
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import obstore
import psycopg
import pytest
from end_to_end.fresh_worlds import fresh_database, world_at, write_partners
from end_to_end.garbage_world import collect, collect_until_killed, litter, rendition
from end_to_end.killing import assert_rows_have_their_objects
from end_to_end.world import World
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from resources import unfinished_files
from resources.ledger import rendering, tombstones
from resources.ledger.rendering import RenditionRow

CHILDREN = multiprocessing.get_context("forkserver")
CHILDREN.set_forkserver_preload(["end_to_end.garbage_world"])
FOLDERS = ("renditions", "raw")


class Place:
    """Where a world with garbage lies; children find it there."""

    def __init__(self, database_url: str, folder: Path):
        self.arguments = (f"file://{folder}/store", database_url, write_partners(folder / "partners.yaml"))
        self.world = world_at(*self.arguments)

    def child(self, die_at: tuple[str, int] | None = None, trace: Path | None = None) -> int | None:
        """Let a child collect; its exit code."""
        child = CHILDREN.Process(target=collect_until_killed, args=(*self.arguments, die_at, trace), daemon=True)
        child.start()
        child.join(60)
        return child.exitcode

    def objects(self) -> list[str]:
        return [item.key for folder in FOLDERS for item in self.world.store.objects(folder)]


@pytest.fixture
def place(postgres_url: str, tmp_path: Path) -> Iterator[Place]:
    with fresh_database(postgres_url) as database_url:
        yield Place(database_url, tmp_path)


def die_at_each(place: Place, chosen: Callable[[list[str]], list[str]]) -> list[str]:
    """Children die at the first passing of each place; whatever they leave, the next one finishes. The places."""
    litter(place.world, range(20))
    collect(place.world)
    trace = place.arguments[2].with_name("trace.json")
    assert place.child(trace=trace) == 0
    assert place.objects() == []
    places = chosen(list(json.loads(trace.read_text())))
    for number, name in enumerate(places):
        litter(place.world, range(20 * number, 20 * number + 20))
        collect(place.world)
        assert place.child(die_at=(name, 1)) == -9, name
        assert_rows_have_their_objects(place.world.ledger, place.world.store)
        collect(place.world)
        collect(place.world)
        assert place.objects() == [], name
        with place.world.ledger.connect() as connection:
            for table in ("renditions", "raw_images", "grouped_hotels", "tombstones", "fingerprint_methods"):
                assert connection.execute(f"SELECT * FROM {table}").fetchall() == [], (name, table)  # type: ignore[call-overload]
    return places


def test_killed_while_it_deletes_it_leaves_no_row_without_object_and_the_next_one_finishes(place: Place) -> None:
    """After the rows are gone, and after the objects are."""
    die_at_each(place, lambda places: ["DELETE FROM rendition_failures", "delete objects"])


@pytest.mark.long
def test_killed_at_every_place_it_leaves_no_row_without_object_and_the_next_one_finishes(place: Place) -> None:
    assert len(die_at_each(place, lambda places: places)) >= 12


# --- a writer between the steps


class Turns:
    """Two threads that take turns at their steps, in an order that is given; who waits for a lock loses its turn.

    Of gc, what changes things is cut into steps: from the first statement of `FIRST_CHANGE` on.
    """

    FIRST_CHANGE = "DELETE FROM shard_builds"

    def __init__(self, ledger_url: str, order: list[str]):
        self.order = order
        self.url = ledger_url
        self.begun = False
        self.gc_steps: list[str] = []
        self.names: dict[int, str] = {}
        self.waiting: set[str] = set()
        self.going: str | None = None
        self.changed = threading.Condition()

    def step(self, what: str) -> None:
        """Called by a thread before each of its steps: waits for its turn."""
        name = self.names.get(threading.get_ident())
        self.begun = self.begun or self.FIRST_CHANGE in what
        if name is None or (name == "gc" and not self.begun):
            return
        if name == "gc":
            self.gc_steps.append(what)
        with self.changed:
            self.waiting.add(name)
            self.changed.notify_all()
            assert self.changed.wait_for(lambda: self.going == name, 30)
            self.going = None
            self.waiting.discard(name)
            self.changed.notify_all()

    def run(self, tasks: dict[str, Callable[[], None]]) -> None:
        """Run the tasks to their end, one step at a time."""
        failures: list[BaseException] = []

        def work(name: str, task: Callable[[], None]) -> None:
            self.names[threading.get_ident()] = name
            try:
                task()
            except BaseException as error:  # noqa: BLE001 the other thread must not wait for ever
                failures.append(error)
            finally:
                with self.changed:
                    del self.names[threading.get_ident()]
                    self.changed.notify_all()

        threads = {name: threading.Thread(target=work, args=(name, task)) for name, task in tasks.items()}
        for thread in threads.values():
            thread.start()
        order = iter(self.order)
        with psycopg.connect(self.url, autocommit=True) as watching:
            while alive := {name for name, thread in threads.items() if thread.is_alive()}:
                self._until_quiet(threads, watching)
                able = sorted(self.waiting & alive)
                if not able:
                    continue
                wanted = next(order, able[0])
                with self.changed:
                    self.going = wanted if wanted in able else able[0]
                    self.changed.notify_all()
                    self.changed.wait_for(lambda: self.going is None, 30)
        assert failures == []

    def _until_quiet(self, threads: dict[str, threading.Thread], watching: psycopg.Connection[Any]) -> None:
        """Until each thread waits for its turn, waits for a lock in the database, or has ended."""
        while True:
            with self.changed:
                busy = [n for n, thread in threads.items() if thread.is_alive() and n not in self.waiting]
                if not busy:
                    return
                self.changed.wait(0.005)
            locked = original_execute(watching, "SELECT count(*) FROM pg_locks WHERE NOT granted").fetchone()[0]
            if locked >= len(busy):
                return


original_execute: Callable[..., Any] = psycopg.Connection.execute


@contextmanager
def steps_of(turns: Turns) -> Iterator[None]:
    """Every statement, every end of a transaction and every change of the store is a step."""
    with pytest.MonkeyPatch.context() as patch:

        def stepping(owner: Any, name: str) -> None:
            original = getattr(owner, name)

            def step(*arguments: Any, **options: Any) -> Any:
                turns.step(f"{name} {arguments[1:2]}")
                return original(*arguments, **options)

            patch.setattr(owner, name, step)

        stepping(psycopg.Connection, "execute")
        stepping(psycopg.Transaction, "__exit__")
        stepping(unfinished_files, "move")
        stepping(obstore, "delete")
        yield


def write(world: World, made: list[RenditionRow]) -> None:
    """What the asset does for renditions it needs: claim them, look which there are, put the others, record them."""
    with world.ledger.connect() as connection:
        tombstones.claim(connection, [row.key for row in made])
        known = {row[0] for row in connection.execute("SELECT key FROM renditions")}
        missing = [row for row in made if row.key not in known]
        for row in missing:
            world.store.put(row.key, row.key.encode())
        rendering.record_renditions(connection, missing, [], "recipes")


def beside_a_writer(world: World, order: list[str], numbers: Iterable[int]) -> list[str]:
    """Let gc delete what a writer writes, in this order of steps. The steps that gc had."""
    litter(world, range(4))
    collect(world)
    wanted = [rendition(number) for number in sorted(numbers)]
    turns = Turns(world.ledger.url, order)
    with steps_of(turns):
        turns.run({"gc": lambda: collect(world) and None, "writer": lambda: write(world, wanted)})
    with world.ledger.connect() as connection:
        rows = {row[0] for row in connection.execute("SELECT key FROM renditions")}
    assert {row.key for row in wanted} <= rows
    assert_rows_have_their_objects(world.ledger, world.store)
    for _ in range(2):  # nobody needs them any more
        collect(world)
    return turns.gc_steps


def write_before_each(place: Place, chosen: Callable[[str], bool]) -> int:
    """A writer does all it does before each step of gc that is chosen. How many were."""
    steps = beside_a_writer(place.world, ["gc"] * 1000, range(4))
    before = [number for number, step in enumerate(steps) if chosen(step)]
    for number in before:
        beside_a_writer(place.world, ["gc"] * number + ["writer"] * 100, range(4))
    return len(before)


def test_a_writer_before_gc_locks_or_deletes_what_it_writes_keeps_it(place: Place) -> None:
    """Tombstones of what is in use again go; then rows, and then objects, are locked and deleted."""

    def touches_renditions(step: str) -> bool:
        locks = "FROM tombstones" in step and "FOR UPDATE" in step
        return locks or "DELETE FROM renditions" in step or step.startswith("delete")

    assert write_before_each(place, touches_renditions) == 5


@pytest.mark.long
def test_a_writer_between_any_two_steps_keeps_what_it_wrote(place: Place) -> None:
    assert write_before_each(place, lambda step: True) > 15


@pytest.mark.long
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(
    st.integers(0, 20),
    st.lists(st.sampled_from(["gc", "writer"]), min_size=20, max_size=60),
    st.sets(st.integers(0, 3), min_size=1),
)
def test_a_writer_that_takes_turns_with_it_keeps_what_it_wrote(
    place: Place, start: int, order: list[str], numbers: set[int]
) -> None:
    beside_a_writer(place.world, ["gc"] * start + order, numbers)
