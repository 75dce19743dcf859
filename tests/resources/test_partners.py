"""partners.yaml: defaults for the unlisted, and every mistake told at once, with where and what was expected."""

from __future__ import annotations

from pathlib import Path

import pytest

from resources.partners import (
    HeaderFromEnvironment,
    PartnerHeaderError,
    Partners,
    PartnerSettings,
    PartnersFileError,
    load_partners,
    resolve_headers,
)


@pytest.fixture
def partners_file(tmp_path: Path):
    path = tmp_path / "partners.yaml"

    def write(text: str) -> Path:
        path.write_text(text, encoding="utf-8")
        return path

    return write


def mistakes_of(path: Path) -> tuple[str, ...]:
    with pytest.raises(PartnersFileError) as error:
        load_partners(path)
    assert all(str(path) in line for line in str(error.value).splitlines())
    return error.value.mistakes


def test_every_key_is_read(partners_file) -> None:
    partners = load_partners(
        partners_file("""
screening: {minimum_short: 100, decode_seconds: 2.5, formats: [jpeg, tiff]}
placeholders: {hotels: 30}
partners:
  bilbao-hot1:
    allow_private_addresses: true
    allowed_hosts: [img.example.com, "*.cdn.example"]
    max_connections: 4
    max_connections_total: 32
    requests_per_second: 2.5
    attempts: 5
    backoff_seconds: 2
    host_patience_seconds: 120
    total_seconds: 90
    connect_seconds: 2.5
    stall_seconds: 20
    max_bytes: 40000000
    user_agent: bilbao-images/1
    contact: images@example.com
    obey_robots_tag: true
    recheck_after: 7
    trust: 0.8
    max_deleted_share: 0
    max_failed_share: 1
    headers: {X-Plain: yes please, Authorization: {env: BILBAO_TOKEN}}
  "0123":
  $abc: {trust: 2}
""")
    )
    assert partners.of("bilbao-hot1") == PartnerSettings(
        partner_id="bilbao-hot1",
        allow_private_addresses=True,
        allowed_hosts=("img.example.com", "*.cdn.example"),
        max_connections=4,
        max_connections_total=32,
        requests_per_second=2.5,
        attempts=5,
        backoff_seconds=2.0,
        host_patience_seconds=120.0,
        total_seconds=90.0,
        connect_seconds=2.5,
        stall_seconds=20.0,
        max_bytes=40_000_000,
        user_agent="bilbao-images/1",
        contact="images@example.com",
        obey_robots_tag=True,
        recheck_after=7.0,
        trust=0.8,
        max_deleted_share=0.0,
        max_failed_share=1.0,
        headers={"X-Plain": "yes please", "Authorization": HeaderFromEnvironment("BILBAO_TOKEN")},
    )
    assert set(partners.listed) == {"bilbao-hot1", "0123", "$abc"}
    assert partners.of("0123") == PartnerSettings(partner_id="0123")
    assert partners.screening == {"minimum_short": 100, "decode_seconds": 2.5, "formats": ("jpeg", "tiff")}
    assert partners.placeholders == {"hotels": 30}


def test_an_unlisted_partner_has_the_documented_defaults() -> None:
    settings = load_partners(None).of("ünï")
    assert settings == PartnerSettings(
        partner_id="ünï",
        allow_private_addresses=False,
        allowed_hosts=(),
        max_connections=16,
        max_connections_total=64,
        requests_per_second=None,
        attempts=3,
        backoff_seconds=0.5,
        host_patience_seconds=30.0,
        total_seconds=30.0,
        connect_seconds=5.0,
        stall_seconds=10.0,
        max_bytes=25_000_000,
        user_agent="image-assets/0.1 (hotel picture ingestion)",
        contact=None,
        obey_robots_tag=False,
        recheck_after=None,
        trust=1.0,
        max_deleted_share=0.3,
        max_failed_share=0.5,
        headers={},
    )


def test_the_user_agent_names_whom_to_write_to(partners_file) -> None:
    partners = load_partners(
        partners_file("""
contact: images@example.com
partners:
  acme: {user_agent: acme-pictures/2}
  bolt: {contact: "https://example.com/bot"}
""")
    )
    assert partners.of("acme").full_user_agent == "acme-pictures/2 (+images@example.com)"
    assert partners.of("bolt").full_user_agent.endswith("(hotel picture ingestion) (+https://example.com/bot)")
    assert partners.of("unlisted").full_user_agent.endswith("(+images@example.com)")


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "partners:\n", "partners: {}\nscreening:\n"])
def test_a_file_that_lists_nobody_is_fine(partners_file, text: str) -> None:
    assert load_partners(partners_file(text)) == Partners()


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ("max_conections: 4", ["partner 'a'", "'max_conections'", "unknown key; did you mean 'max_connections'?"]),
        ("allow_private_addresses: 1", ["'allow_private_addresses'", "true or false"]),
        ("allowed_hosts: img.example.com", ["'allowed_hosts'", "a list of host names"]),
        ("allowed_hosts: ['http://x/', 7]", ["host names such as", "'http://x/'", "int 7"]),
        ("max_connections: 0", ["'max_connections'", "a whole number of at least 1", "int 0"]),
        ("max_connections: 2.5", ["a whole number", "float 2.5"]),
        ("max_connections: true", ["a whole number", "bool True"]),
        ("requests_per_second: 0", ["'requests_per_second'", "null or a number above 0"]),
        ("stall_seconds: 0", ["'stall_seconds'", "a number above 0 and up to 3600", "int 0"]),
        ("total_seconds: 1e6", ["'total_seconds'", "a number above 0 and up to 3600"]),
        ("trust: -1", ["'trust'", "a number of at least 0"]),
        ("trust: .nan", ["'trust'", "a number of at least 0"]),
        ("max_deleted_share: 1.2", ["'max_deleted_share'", "from 0 to 1", "1.2"]),
        ("max_failed_share: '0.5'", ["'max_failed_share'", "from 0 to 1", "str '0.5'"]),
        ("headers: [x]", ["'headers'", "a mapping"]),
        ("headers: {X-Key: 5}", ["'X-Key'", "text in quotes", "{env:"]),
        ("headers: {X-Key: {environment: A}}", ["'X-Key'", "{env:"]),
        ("headers: {X-Key: {env: A, other: B}}", ["'X-Key'", "{env:"]),
        ('headers: {X-Key: "a\\r\\nEvil: 1"}', ["'X-Key'", "one line of text"]),
        ("headers: {'X Key': a}", ["'X Key'", "letters, digits and hyphens"]),
        ("headers: {X-Key: a, x-key: b}", ["'x-key'", "once"]),
    ],
)
def test_a_mistake_names_partner_key_and_what_was_expected(partners_file, entry: str, told: list[str]) -> None:
    (mistake,) = mistakes_of(partners_file(f"partners:\n  a:\n    {entry}\n"))
    assert "partner 'a'" in mistake
    assert all(part in mistake for part in told), mistake


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("partner: {}", ["'partner'", "unknown key; did you mean 'partners'?"]),
        ("hotels: {}", ["'hotels'", "unknown key; expected one of partners, user_agent"]),
        ("- a", ["expected a mapping"]),
        ("partners: [a]", ["'partners'", "a mapping"]),
        ("partners: {a: 5}", ["partner 'a'", "a mapping", "int 5"]),
        ("screening: {minimum_width: 5}", ["screening", "'minimum_width'", "unknown key"]),
        ("placeholders: {hotel: 9}", ["placeholders", "'hotel'", "unknown key", "hotels"]),
        ("placeholders: {hotels: 0.5}", ["placeholders", "'hotels'", "a whole number"]),
        ("screening: {max_pixels: 0}", ["screening", "'max_pixels'", "a whole number above 0"]),
        ("screening: {formats: jpeg}", ["screening", "'formats'", "a list of names", "str 'jpeg'"]),
        ("screening: {formats: []}", ["screening", "'formats'", "a list of names"]),
        ("screening: {minimum_short: 2.5}", ["screening", "'minimum_short'", "a whole number above 0"]),
        ("grouping: {rules: aligned}", ["grouping", "'rules'", "unknown key; did you mean 'rule'?"]),
        ("grouping: {threshold: 0}", ["grouping", "'threshold'", "a number above 0"]),
        ("grouping: {mirrored: perhaps}", ["grouping", "'mirrored'", "true or false"]),
        ("grouping: {min_recall: 97}", ["grouping", "'min_recall'", "a number from 0 to 1"]),
        ("partners: {0123: {trust: 2}}", ["line 1", "'0123'", "in quotes"]),
        ("partners: {no: {trust: 2}}", ["'no'", "in quotes"]),
        ("partners:\n  a: {trust: 2}\n  a: {trust: 3}\n", ["line 3", "'a'", "twice", "line 2"]),
        ("partners:\n  a:\n    trust: 2\n    trust: 2\n", ["line 4", "'a'", "'trust'", "twice"]),
        ("partners: {a: [}", ["not YAML"]),
        ("a: 1\n---\nb: 2\n", ["not YAML"]),
    ],
)
def test_a_mistake_outside_of_a_partner_is_told_too(partners_file, text: str, told: list[str]) -> None:
    (mistake,) = mistakes_of(partners_file(text))
    assert all(part in mistake for part in told), mistake


def test_all_mistakes_of_a_file_are_told_at_once(partners_file) -> None:
    mistakes = mistakes_of(
        partners_file("""
partners:
  a: {trust: -1, max_connections: many}
  b: {colour: red, headers: {X: 1, "Y Y": b}}
  12: {}
screening: {max_pixels: -5}
""")
    )
    assert len(mistakes) == 6


def test_a_file_that_was_named_must_be_there(tmp_path: Path) -> None:
    (mistake,) = mistakes_of(tmp_path / "nowhere.yaml")
    assert "cannot be read" in mistake


def test_a_file_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "partners.yaml"
    path.write_bytes("partners: {ü: {}}".encode("latin-1"))
    assert "cannot be read" in mistakes_of(path)[0]


def test_headers_come_from_the_environment_when_they_are_used() -> None:
    settings = PartnerSettings("acme", headers={"X-Plain": "a", "Authorization": HeaderFromEnvironment("ACME_TOKEN")})
    assert resolve_headers(settings, {"ACME_TOKEN": "s3cret"}) == {"X-Plain": "a", "Authorization": "s3cret"}


@pytest.mark.parametrize("variables", [{}, {"ACME_TOKEN": "s3cret\n"}])
def test_a_header_that_cannot_be_sent_names_partner_header_and_variable(variables: dict[str, str]) -> None:
    settings = PartnerSettings("acme", headers={"Authorization": HeaderFromEnvironment("ACME_TOKEN")})
    with pytest.raises(PartnerHeaderError) as error:
        resolve_headers(settings, variables)
    assert all(part in str(error.value) for part in ("acme", "Authorization", "ACME_TOKEN"))
    assert "s3cret" not in str(error.value)


def test_header_values_are_not_shown_with_the_settings() -> None:
    assert "s3cret" not in repr(PartnerSettings("acme", headers={"Authorization": "s3cret"}))


def test_the_hash_algorithm_of_the_fingerprints_can_be_chosen(tmp_path: Path) -> None:
    file = tmp_path / "partners.yaml"
    file.write_text("fingerprints: {algorithm: phash}\n")
    assert load_partners(file).algorithm == "phash"
    assert load_partners(None).algorithm is None
    file.write_text("fingerprints: {algorithm: 7}\n")
    with pytest.raises(PartnersFileError, match="'algorithm': expected text"):
        load_partners(file)
