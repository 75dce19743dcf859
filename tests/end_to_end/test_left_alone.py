"""SIGKILL of every process of a home but those of one kind, whichever it is: they end by themselves.

Whoever kills a process tree one after another misses what was born meanwhile; no process may rely on another one to
end it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from end_to_end.ui import eventually, image_assets_dev
from homes import assert_no_process_of, fresh_home, kill, processes_of
from partner_site import PartnerSite
from pictures import drawn, jpeg

from resources.object_store import open_store

pytestmark = pytest.mark.long

COMMAND = "image-assets dev"
# All that a home in full swing consists of; what else turns up is tried as well.
KINDS = {
    COMMAND: r"image-assets dev",
    "keeper": r"embedded_keeper",
    "PostgreSQL": r"bin/postgres -D",
    "PostgreSQL's own processes": r"^postgres: ",
    "code server": r"dagster api grpc",
    "daemon": r"dagster\._daemon",
    "webserver": r"dagster_webserver",
    "run": r"multiprocessing\.spawn",
    "run's semaphores": r"multiprocessing\.resource_tracker",
    "decoder": r"decoder_process",
}


@pytest.fixture
def home() -> Iterator[Path]:
    with fresh_home("left-alone-") as home:
        yield home


def by_kind(home: Path) -> dict[str, list[psutil.Process]]:
    kinds = defaultdict(list)
    for process in processes_of(home):
        words = " ".join(process.info["cmdline"])
        known = (kind for kind, pattern in KINDS.items() if re.search(pattern, words))
        kinds[next(known, words.split(" ")[0])].append(process)
    return kinds


def test_whatever_is_left_alone_ends_by_itself(home: Path, site: PartnerSite) -> None:
    # So slow a site that the run which fetches from it is still at work when the others are killed.
    partners_file = home / "partners.yaml"
    partners_file.write_text("partners: {alpha: {allow_private_addresses: true, requests_per_second: 0.5}}")
    picture = jpeg(drawn(0))
    catalogue = "".join(f"1,{site.serve(f'/{number}.jpg', picture)}\n" for number in range(500))
    open_store(f"file://{home}/store").put("catalogues/alpha/w1.csv", f"accommodation_id,url\n{catalogue}".encode())

    tried = {COMMAND}  # it would start the others again, as it should
    untried = set(KINDS)
    while untried:
        with image_assets_dev(home, partners_file) as ui:
            eventually(lambda: KINDS.keys() <= by_kind(home).keys(), ui.log.read_text)
            kinds = by_kind(home)
            spared = min(kinds.keys() - tried)
            tried.add(spared)
            untried = kinds.keys() - tried
            kill([process for kind, others in kinds.items() if kind != spared for process in others])
            assert_no_process_of(home)
