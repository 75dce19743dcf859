"""`image-assets dev` and `run` as people run them: beside each other, until idle, and what ends them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from commands.command_homes import Home, command_home, ended
from partner_site import PartnerSite, partner_site
from pictures import drawn, jpeg
from PIL import Image

from image_assets.image_release.publishing import current_release
from image_assets.supervision import acquire_supervision

ROOT = Path(__file__).parents[2]
# Supervises a home, and does nothing.
HOLDER = """
import signal, sys
from pathlib import Path
from image_assets.supervision import acquire_supervision
with acquire_supervision(Path(sys.argv[1])):
    print("ready", flush=True)
    signal.pause()
"""


@pytest.fixture(scope="module")
def home() -> Iterator[Home]:
    with command_home() as home:
        yield home


def test_dev_beside_another_supervisor_says_so_and_ends(home: Home) -> None:
    with acquire_supervision(home.path):
        code, said = home.run("dev")
    assert code == 1
    assert f"Process {os.getpid()} runs on {home.path} already" in said


def test_with_nothing_to_do_run_until_idle_ends_at_once_and_well(home: Home) -> None:
    code, said = home.run("run", "--until-idle")
    assert (code, said.splitlines()[-1]) == (0, "Idle: everything new is processed and published.")


@pytest.fixture(scope="module")
def working_home() -> Iterator[tuple[Home, PartnerSite, list[str]]]:
    """A home whose first release is processed by two commands at once; what both said is the test's below."""
    with partner_site() as site, command_home() as working:
        working.offer("alpha", "w1", [site.serve(f"/{n}.jpg", jpeg(drawn(n))) for n in range(4)])
        working.release("r1", "H1,alpha,1", "H2,beta,1")
        both = [working.start("run", "--until-idle") for _ in range(2)]
        outcomes = [ended(process) for process in both]
        assert [code for code, _ in outcomes] == [0, 0], outcomes
        yield working, site, [said for _, said in outcomes]


@pytest.mark.long
def test_of_two_commands_at_once_one_works_and_the_other_waits_with_it(
    working_home: tuple[Home, PartnerSite, list[str]],
) -> None:
    home, site, said = working_home
    assert sum("waiting with it" in each for each in said) == 1
    assert all(each.splitlines()[-1] == "Idle: everything new is processed and published." for each in said)
    current = current_release(home.store)
    assert current is not None
    assert current["release_id"] == "r1"
    assert site.requests == {f"/{n}.jpg": 1 for n in range(4)}
    code, report = home.run("status")
    assert code == 0
    assert "release r1: 2 hotels, 4 images; published" in report
    assert report.splitlines()[-1] == "idle: nothing is left to do"


@pytest.mark.long
def test_a_waiting_command_takes_over_when_the_one_at_work_is_killed_though_nobody_reaped_it(
    working_home: tuple[Home, PartnerSite, list[str]],
) -> None:
    home, _, _ = working_home
    home.release("r1", "H1,alpha,1")
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, home.path], stdout=subprocess.PIPE, cwd=ROOT)
    assert holder.stdout is not None
    holder.stdout.readline()
    waiting = home.start("run", "--until-idle")
    assert waiting.stdout is not None
    assert "waiting with it" in waiting.stdout.readline()
    holder.kill()
    code, said = ended(waiting)
    holder.wait()
    assert (code, said.splitlines()[0]) == (0, "It ended; taking over.")
    assert "release r1: 1 hotels, 4 images; published" in home.run("status")[1]


@pytest.mark.long
def test_pictures_that_are_due_again_within_seconds_do_not_keep_the_command(
    working_home: tuple[Home, PartnerSite, list[str]],
) -> None:
    home, site, _ = working_home
    before = site.requests.total()
    code, said = home.run("run", "--until-idle", PARTNERS_FILE=_allow(home, "alpha", recheck_after=0.0001))
    assert (code, said.splitlines()[-1]) == (0, "Idle: everything new is processed and published.")
    assert site.requests.total() - before == 4, "each picture once"


@pytest.mark.long
def test_closed_gates_end_the_command_with_their_reason_and_the_command_that_accepts_them(
    working_home: tuple[Home, PartnerSite, list[str]],
) -> None:
    home, site, _ = working_home
    home.offer("alpha", "w2", [site.url("/0.jpg")])
    code, said = home.run("run", "--until-idle")
    assert code == 1
    (reason,) = (line for line in said.splitlines() if line.startswith("NOT DONE"))
    assert "deletes 3 of 4 known URLs" in reason
    assert reason.endswith("image-assets accept-shrink alpha w2")
    assert "STOPPED" in home.run("status")[1]

    blank = site.serve("/blank.jpg", jpeg(Image.new("RGB", (400, 300), "grey")))
    home.offer(
        "beta", "w1", [site.serve("/b.jpg", jpeg(drawn(9))), site.serve("/down.jpg", 503), site.url("/gone.jpg"), blank]
    )
    home.release("r2", "H3,beta,1")
    assert home.run("accept-shrink", "alpha", "w2")[0] == 0
    code, said = home.run("run", "--until-idle", PARTNERS_FILE=_allow(home, "alpha", "beta"))
    assert code == 1
    (reason,) = (line for line in said.splitlines() if line.startswith("NOT DONE"))
    assert "1 of 1 hotels lose all their pictures since r1" in reason
    assert reason.endswith("image-assets accept-release r2")
    assert (current_release(home.store) or {})["release_id"] == "r1"

    assert home.run("accept-release", "r2")[0] == 0
    code, said = home.run("run", "--until-idle", PARTNERS_FILE=_allow(home, "alpha", "beta"))
    assert (code, said.splitlines()[-1]) == (0, "Idle: everything new is processed and published.")
    assert (current_release(home.store) or {})["release_id"] == "r2"
    failed, refused, placeholders = (line for line in said.splitlines() if line.startswith("NOTE"))
    assert "beta: 1 images failed and wait for its next catalogue (1 × http_503)" in failed
    assert failed.endswith("image-assets retry beta")
    assert "1 images are rejected (1 × http_404)" in refused
    assert "release r2: 1 pictures (1 images) are left out" in placeholders
    assert placeholders.endswith("image-assets placeholders r2")


@pytest.mark.long
def test_work_that_fails_again_and_again_ends_the_command_with_the_cause(
    working_home: tuple[Home, PartnerSite, list[str]],
) -> None:
    home, _, _ = working_home
    home.store.put("catalogues/alpha/w3.csv", b"hotel,picture\n1,2\n")
    code, said = home.run("run", "--until-idle", PARTNERS_FILE=_allow(home, "alpha", "beta"))
    assert code == 1
    (reason,) = (line for line in said.splitlines() if line.startswith("NOT DONE"))
    assert "catalogues/alpha/w3.csv" in reason
    assert "accommodation_id" in reason


def _allow(home: Home, *partners: str, **settings: object) -> str:
    file = home.path / "more-partners.yaml"
    allowed = {"allow_private_addresses": True, **settings}
    file.write_text(json.dumps({"partners": dict.fromkeys(partners, allowed)}))
    return str(file)
