"""The demo's web server: real requests over a socket, its troubles as the pipeline's screening sees them."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from demo.partner_server import PartnerServer, decompression_bomb, partner_server, picture_file
from demo.scenario import Offer, Trouble, Week, two_weeks
from image_assets.raw_images import ScreeningLimits, screen

FIRST, SECOND = two_weeks()


@pytest.fixture
def server() -> Iterator[PartnerServer]:
    with partner_server(folder=None) as running:
        running.play(FIRST)
        yield running


def _get(server: PartnerServer, path: str) -> tuple[int, str, bytes]:
    connection = http.client.HTTPConnection(urlsplit(server.host).netloc, timeout=30)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.headers["Content-Type"], response.read()
    finally:
        connection.close()


def _offer(trouble: Trouble | None, week: Week = FIRST) -> Offer:
    return next(
        offer for catalogue in week.catalogues.values() for offer in catalogue.offers if offer.trouble is trouble
    )


def test_a_picture_is_served_and_passes_the_screening(server: PartnerServer) -> None:
    status, content_type, body = _get(server, _offer(None).path)
    assert (status, content_type) == (200, "image/jpeg")
    screening = screen(body, ScreeningLimits())
    assert screening.accepted
    assert (screening.width, screening.height) in ((1440, 960), (960, 1440))


@pytest.mark.parametrize("trouble", [Trouble.HTML, Trouble.TRUNCATED, Trouble.TOO_SMALL, Trouble.BOMB])
def test_a_trouble_that_comes_with_status_200_is_refused_by_the_screening(
    server: PartnerServer, trouble: Trouble
) -> None:
    status, _, body = _get(server, _offer(trouble).path)
    assert status == 200
    screening = screen(body, ScreeningLimits())
    assert not screening.accepted
    assert screening.reason


def test_the_troubles_have_different_reasons(server: PartnerServer) -> None:
    troubles = (Trouble.HTML, Trouble.TRUNCATED, Trouble.TOO_SMALL, Trouble.BOMB)
    reasons = {screen(_get(server, _offer(trouble).path)[2], ScreeningLimits()).reason for trouble in troubles}
    assert len(reasons) == len(troubles)


def test_a_server_with_a_bad_day_answers_the_second_request(server: PartnerServer) -> None:
    path = _offer(Trouble.ONCE_500).path
    assert [_get(server, path)[0] for _ in range(3)] == [500, 200, 200]


def test_a_broken_server_stays_broken_and_a_missing_picture_is_missing(server: PartnerServer) -> None:
    assert [_get(server, _offer(Trouble.ALWAYS_500).path)[0] for _ in range(4)] == [500] * 4
    assert _get(server, _offer(Trouble.NOT_FOUND).path)[0] == 404
    assert _get(server, "/never/offered.jpg")[0] == 404


def test_requests_are_counted_by_url_and_from_zero_in_each_week(server: PartnerServer) -> None:
    path, other = _offer(Trouble.ONCE_500).path, _offer(Trouble.HTML).path
    for asked in (path, other, path):
        _get(server, asked)
    assert server.requests() == {path: 2, other: 1}
    server.play(SECOND)
    assert server.requests() == {}


def test_a_picture_taken_anew_is_behind_its_old_url(server: PartnerServer) -> None:
    old = {offer.path: offer for offer in FIRST.catalogues["atlas"].offers}
    changed = [offer for offer in SECOND.catalogues["atlas"].offers if offer.path in old and offer != old[offer.path]]
    assert len(changed) == 3
    before = _get(server, changed[0].path)[2]
    server.play(SECOND)
    assert _get(server, changed[0].path)[2] != before


def test_the_same_file_comes_from_the_wholesaler_and_from_whoever_passes_it_on(server: PartnerServer) -> None:
    (passed_on, *_) = [offer for offer in FIRST.catalogues["nordlicht"].offers if offer.position == 1]
    (original,) = [
        offer
        for offer in FIRST.catalogues["atlas"].offers
        if offer.picture == passed_on.picture and offer.edit == passed_on.edit and offer.trouble is None
    ]
    assert _get(server, passed_on.path)[2] == _get(server, original.path)[2]


def test_nothing_is_left_to_be_made_when_the_requests_come(server: PartnerServer) -> None:
    made = picture_file.cache_info().misses
    for catalogue in FIRST.catalogues.values():
        for offer in catalogue.offers:
            _get(server, offer.path)
    assert picture_file.cache_info().misses == made


def test_the_bomb_is_small_on_the_wire() -> None:
    assert len(decompression_bomb()) < 100_000


def test_the_port_stays_the_same_and_is_free_afterwards() -> None:
    with partner_server(folder=None) as running:
        host = running.host
        running.play(FIRST)
        running.play(SECOND)
        assert running.host == host
    with pytest.raises(ConnectionRefusedError):
        http.client.HTTPConnection(urlsplit(host).netloc, timeout=5).request("GET", "/")
