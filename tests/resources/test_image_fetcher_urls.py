"""URLs are kept exact where they can be sent, made sendable where not, and refused with the right reason."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resources.image_fetcher.image_urls import (
    UrlRefused,
    check_allowed,
    keeps_headers,
    parse_image_url,
    without_credentials,
)
from resources.partners import PartnerSettings

LOCAL = PartnerSettings(allow_private_addresses=True)


@pytest.mark.parametrize(
    "text",
    [
        "http://img.example.com/a/../b//c;v=1?q=a+b%20c&x=%zz&y=$abc",
        "https://img.example.com:8443/%7Euser/%C3%BC.jpg?sig=a%2Fb%2bc==",
        "http://my_bucket.s3.example.com/a(1)'!*,@:.jpg",
        "http://8.8.8.8/x",
        "http://[2606:4700::1111]:80/x?",
    ],
)
def test_a_url_that_can_be_sent_is_not_changed(text: str) -> None:
    assert parse_image_url(text).text == text


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("http://x.example/Ünï/cødé.jpg?q=ü", "http://x.example/%C3%9Cn%C3%AF/c%C3%B8d%C3%A9.jpg?q=%C3%BC"),
        ("  http://x.example/a b.jpg#part ", "http://x.example/a%20b.jpg"),
        ("HTTP://X.Example?q={1}|2", "http://x.example/?q=%7B1%7D%7C2"),
        ("http://bücher.example/x", "http://xn--bcher-kva.example/x"),
        ("http://x.example/\udcfc.jpg", "http://x.example/%FC.jpg"),
    ],
)
def test_what_cannot_be_sent_is_encoded(text: str, sent: str) -> None:
    assert parse_image_url(text).text == sent


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "bad_url"),
        ("img.example.com/a.jpg", "bad_url"),
        ("//img.example.com/a.jpg", "bad_url"),
        ("http:///a.jpg", "bad_url"),
        ("http://a..b/x", "bad_url"),
        ("http://exa mple.com/x", "bad_url"),
        ("http://a%2eb/x", "bad_url"),
        ("http://x.example:99999/", "bad_url"),
        ("http://x.example:0/", "bad_url"),
        ("http://x.example/a\nb", "bad_url"),
        ("http://x.example/\ud800", "bad_url"),
        ("http://[::1", "bad_url"),
        ("http://999.1.1.1/", "bad_url"),
        ("http://evil.example\\.good.example/", "bad_url"),
        ("http://x.example/" + "a" * 20_000, "bad_url"),
        ("ftp://x.example/a", "forbidden_scheme"),
        ("file:///etc/passwd", "forbidden_scheme"),
        ("data:image/png;base64,AAAA", "forbidden_scheme"),
        ("http://user:secret@x.example/", "credentials_in_url"),
        ("http://good.example\\@evil.example/", "credentials_in_url"),
        ("http://0x7f.1/", "forbidden_address"),
        ("http://2130706433/", "forbidden_address"),
        ("http://0177.0.0.1/", "forbidden_address"),
        ("http://127.1/", "forbidden_address"),
        ("http://127.0.0.1./", "forbidden_address"),
        ("http://[fe80::1%25eth0]/", "forbidden_address"),
    ],
)
def test_a_url_is_refused_with_its_reason(text: str, reason: str) -> None:
    with pytest.raises(UrlRefused) as refused:
        parse_image_url(text)
    assert refused.value.reason == reason


@pytest.mark.parametrize(
    "text",
    [
        "http://127.0.0.1/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::1]:9000/",
        "http://１２７.０.０.１/",
        "http://127。0。0。1/",
        "http://169.254.169.254/latest/meta-data",
        "http://[64:ff9b::7f00:1]/",
        "http://[2002:7f00:1::]/",
    ],
)
def test_an_address_in_the_url_is_checked_unless_private_ones_are_allowed(text: str) -> None:
    url = parse_image_url(text)
    check_allowed(url, LOCAL)
    with pytest.raises(UrlRefused, match="forbidden_address"):
        check_allowed(url, PartnerSettings())


def test_only_allowed_hosts_pass_where_some_are_given() -> None:
    settings = PartnerSettings(allowed_hosts=("img.example.com", "*.cdn.example", "Bücher.example"))
    for good in ("http://IMG.example.com./a", "https://eu.cdn.example/a", "http://xn--bcher-kva.example/"):
        check_allowed(parse_image_url(good), settings)
    for bad in (
        "http://example.com/",
        "http://cdn.example/",
        "http://evilcdn.example/",
        "http://img.example.com.evil/",
    ):
        with pytest.raises(UrlRefused, match="forbidden_host"):
            check_allowed(parse_image_url(bad), settings)


def test_an_allowed_host_may_not_be_a_private_address() -> None:
    with pytest.raises(UrlRefused, match="forbidden_address"):
        check_allowed(parse_image_url("http://10.0.0.1/"), PartnerSettings(allowed_hosts=("10.0.0.1",)))


@pytest.mark.parametrize(
    ("first", "now", "kept"),
    [
        ("http://a.example/1", "http://A.example:80/2", True),
        ("http://a.example/1", "https://a.example/2", True),
        ("https://a.example/1", "http://a.example/2", False),
        ("http://a.example/1", "http://b.example/2", False),
        ("http://a.example/1", "http://a.example:8080/2", False),
    ],
)
def test_the_partners_headers_stay_with_the_first_server(first: str, now: str, kept: bool) -> None:
    assert keeps_headers(parse_image_url(first), parse_image_url(now)) is kept


def test_credentials_are_cut_from_what_is_shown() -> None:
    assert without_credentials("http://user:p@ss@x.example/a@b") == "http://x.example/a@b"


@given(
    st.text(max_size=60)
    | st.text(max_size=40).map("http://x.example/".__add__)
    | st.text(max_size=20).map("http://".__add__)
)
def test_any_text_is_refused_or_becomes_a_url_that_stays_as_it_is(text: str) -> None:
    try:
        url = parse_image_url(text)
    except UrlRefused:
        return
    assert url.text.isascii()
    assert not set(url.text) & set(' \r\n\t"<>\\')
    assert parse_image_url(url.text) == url
