"""What we know of each partner besides its catalogue: `partners.yaml`.

Belongs here: the settings with their defaults, reading and checking the file. Does not belong here: catalogues, or
obeying the settings (the fetcher, the gates and the ranking each take what is theirs).
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

PRODUCT = "image-assets"
"""What we call ourselves to other people's servers."""

DEFAULT_USER_AGENT = f"{PRODUCT}/0.1 (hotel picture ingestion)"


class PartnersFileError(ValueError):
    """`partners.yaml` has mistakes; the message lists all of them, `mistakes` has one line for each."""

    def __init__(self, path: Path, mistakes: list[str]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__("\n".join(f"{path}: {mistake}" for mistake in mistakes))


class PartnerHeaderError(ValueError):
    """A header of a partner cannot be sent; the message names the partner, the header and the variable."""


@dataclass(frozen=True)
class HeaderFromEnvironment:
    """A header whose value is a secret kept out of the file: the environment variable that holds it."""

    variable: str


@dataclass(frozen=True)
class PartnerSettings:
    """What one partner's servers may be asked, how fast, and how much its pictures and changes are trusted.

    `max_connections` and `requests_per_second` (None is no limit) hold for each host, `max_connections_total` for all
    of them. `attempts` is the most for one image in a round; `backoff_seconds` the pause before the second, doubled for
    each further one; a host without a good answer for `host_patience_seconds` is given up. `recheck_after` is in days,
    None is never. `max_deleted_share` and `max_failed_share` are shares from 0 to 1.
    """

    partner_id: str = ""
    allow_private_addresses: bool = False
    allowed_hosts: tuple[str, ...] = ()
    max_connections: int = 16
    max_connections_total: int = 64
    requests_per_second: float | None = None
    attempts: int = 3
    backoff_seconds: float = 0.5
    host_patience_seconds: float = 30.0
    user_agent: str = DEFAULT_USER_AGENT
    contact: str | None = None
    obey_robots_tag: bool = False
    recheck_after: float | None = None
    trust: float = 1.0
    max_deleted_share: float = 0.3
    max_failed_share: float = 0.5
    headers: Mapping[str, str | HeaderFromEnvironment] = field(default_factory=dict, repr=False)

    @property
    def full_user_agent(self) -> str:
        """Who asks, and whom a server's operator can write to."""
        return f"{self.user_agent} (+{self.contact})" if self.contact else self.user_agent


@dataclass(frozen=True)
class Partners:
    """The settings of every partner, and the choices that hold for all of them.

    `unlisted` are the settings of partners that the file does not list. `screening` and `placeholders` hold the file's
    own limits, empty for the defaults (which image formats exist is the screening's affair). `algorithm` names the hash
    of the fingerprints (which names exist is the fingerprints' affair); None for the default. `grouping` holds what the
    file says about the same picture: any of `rule` (which rules exist, and their thresholds, is the image groups'
    affair), `threshold`, `mirrored`, `max_false_merge_rate` and `min_recall`.
    """

    listed: Mapping[str, PartnerSettings] = field(default_factory=dict)
    unlisted: PartnerSettings = PartnerSettings()
    screening: Mapping[str, Any] = field(default_factory=dict)
    placeholders: Mapping[str, Any] = field(default_factory=dict)
    algorithm: str | None = None
    grouping: Mapping[str, Any] = field(default_factory=dict)

    def of(self, partner_id: str) -> PartnerSettings:
        """The partner's settings; the defaults when the file does not list it."""
        return self.listed.get(partner_id) or replace(self.unlisted, partner_id=partner_id)


def resolve_headers(settings: PartnerSettings, variables: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The headers to send, secrets looked up now, so that a changed secret needs no restart.

    Raises PartnerHeaderError when a variable is not set or holds a line break; the value is never shown.
    """
    resolved = {}
    for name, value in settings.headers.items():
        if isinstance(value, HeaderFromEnvironment):
            wanted = f"partner {settings.partner_id!r}, header {name!r}: environment variable {value.variable!r}"
            if value.variable not in variables:
                raise PartnerHeaderError(f"{wanted} is not set")
            if _UNPRINTABLE.search(variables[value.variable]):
                raise PartnerHeaderError(f"{wanted} holds a line break or another control character")
            resolved[name] = variables[value.variable]
        else:
            resolved[name] = value
    return resolved


def load_partners(path: Path | None) -> Partners:
    """Read `partners.yaml`; None (no file configured) is no listed partner. Raises PartnersFileError.

    Every mistake of the file is reported at once, with line, partner, key and what was expected.
    """
    if path is None:
        return Partners()
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise PartnersFileError(path, [f"cannot be read: {error}"]) from error
    try:
        loader = yaml.SafeLoader(text)
        root = loader.get_single_node()
        mistakes = list(_key_mistakes(root, "", set()))
        content = loader.construct_document(root) if root is not None else None
    except (yaml.YAMLError, ValueError) as error:
        raise PartnersFileError(path, [f"is not YAML: {' '.join(str(error).split())}"]) from error
    found = _checked_file(content, mistakes)
    if mistakes:
        raise PartnersFileError(path, mistakes)
    return found


_UNPRINTABLE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_HEADER_TEXT = re.compile(r"[!-~]([ -~]{0,298}[!-~])?")
_HOST_NAME = re.compile(r"(\*\.)?[^\s/:@*?#]+")

# A checker returns the value to keep, or raises _Unexpected with what was expected.
_Checker = Callable[[Any], Any]


class _Unexpected(ValueError):
    """What a value should have been."""


def _key_mistakes(node: yaml.Node | None, where: str, seen: set[int]) -> Iterator[str]:
    """Keys that YAML reads as something else than text, or twice: both would vanish in a Python dict.

    `0123:` is the number 83 in YAML 1.1, and a second `acme:` silently replaces the first.
    """
    if node is None or id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _key_mistakes(item, where, seen)
    if isinstance(node, yaml.MappingNode):
        lines: dict[str, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            name = str(key.value) if isinstance(key, yaml.ScalarNode) else "?"
            place = f"{where}, {name!r}" if where else f"{name!r}"
            if key.tag == "tag:yaml.org,2002:merge":
                pass
            elif key.tag != "tag:yaml.org,2002:str":
                yield f"line {line}: {place}: expected text, YAML reads this key as something else: write it in quotes"
            elif name in lines:
                yield f"line {line}: {place}: the key is there twice (first in line {lines[name]}); expected once"
            lines.setdefault(name, line)
            yield from _key_mistakes(value, place, seen)


def _checked_file(content: Any, mistakes: list[str]) -> Partners:
    if content is None:
        return Partners()
    if not isinstance(content, dict):
        mistakes.append(f"expected a mapping with any of the keys {', '.join(_TOP_KEYS)}")
        return Partners()
    top = _checked_keys(content, _TOP_KEYS, "", mistakes)
    unlisted = replace(PartnerSettings(), **{key: top[key] for key in ("user_agent", "contact") if key in top})
    listed = {}
    for partner_id, entry in (top.get("partners") or {}).items():
        if not isinstance(partner_id, str):
            continue  # _key_mistakes has said so
        where = f"partner {partner_id!r}"
        try:
            values = _checked_keys(_mapping(entry), _PARTNER_KEYS, where, mistakes)
        except _Unexpected as expected:
            mistakes.append(f"{where}: expected {expected}")
            continue
        listed[partner_id] = replace(unlisted, partner_id=partner_id, **values)
    screening = _checked_keys(top.get("screening") or {}, _SCREENING_KEYS, "screening", mistakes)
    fingerprints = _checked_keys(top.get("fingerprints") or {}, {"algorithm": _text}, "fingerprints", mistakes)
    placeholders = _checked_keys(top.get("placeholders") or {}, _PLACEHOLDER_KEYS, "placeholders", mistakes)
    grouping = _checked_keys(top.get("grouping") or {}, _GROUPING_KEYS, "grouping", mistakes)
    return Partners(listed, unlisted, screening, placeholders, fingerprints.get("algorithm"), grouping)


def _checked_keys(
    found: Mapping[Any, Any], checkers: Mapping[str, _Checker], where: str, mistakes: list[str]
) -> dict[str, Any]:
    """The values that pass their checker, by key; what does not pass is added to `mistakes`."""
    kept = {}
    for key, value in found.items():
        if not isinstance(key, str):
            continue
        place = f"{where}, key {key!r}" if where else f"key {key!r}"
        if key not in checkers:
            mistakes.append(f"{place}: unknown key; expected one of {', '.join(checkers)}")
            continue
        try:
            kept[key] = checkers[key](value)
        except _Unexpected as expected:
            mistakes.append(f"{place}: expected {expected}")
    return kept


def _shown(value: Any) -> str:
    return f"{type(value).__name__} {value!r}"


def _mapping(value: Any) -> dict[Any, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _Unexpected(f"a mapping, found {_shown(value)}")
    return value


def _true_or_false(value: Any) -> bool:
    if not isinstance(value, bool):
        raise _Unexpected(f"true or false, found {_shown(value)}")
    return value


def _number(least: float, most: float = math.inf, *, above: bool = False, whole: bool = False) -> _Checker:
    """A checker for numbers from `least` (or above it) to `most`; YAML's true, .nan and .inf are none."""
    kind = "a whole number" if whole else "a number"
    span = (
        f"above {least:g}" if above else f"of at least {least:g}" if most == math.inf else f"from {least:g} to {most:g}"
    )

    def check(value: Any) -> float:
        numeric = isinstance(value, int if whole else int | float) and not isinstance(value, bool)
        if not numeric or not math.isfinite(value) or not least <= value <= most or (above and value == least):
            raise _Unexpected(f"{kind} {span}, found {_shown(value)}")
        return int(value) if whole else float(value)

    return check


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise _Unexpected(f"text, found {_shown(value)}")
    return value


def _names(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(isinstance(name, str) and name for name in value):
        raise _Unexpected(f"a list of names, found {_shown(value)}")
    return tuple(dict.fromkeys(value))


def _header_text(value: Any) -> str:
    if not isinstance(value, str) or not _HEADER_TEXT.fullmatch(value):
        raise _Unexpected(f"one line of plain text, found {_shown(value)}")
    return value


def _number_or_null(value: Any) -> float | None:
    if value is None:
        return None
    try:
        return float(_number(0, above=True)(value))
    except _Unexpected as expected:
        raise _Unexpected(f"null or {expected}") from None


def _host_names(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise _Unexpected(f"a list of host names, found {_shown(value)}")
    wrong = [_shown(host) for host in value if not isinstance(host, str) or not _HOST_NAME.fullmatch(host)]
    if wrong:
        raise _Unexpected(f"host names such as img.example.com or *.example.com, found {', '.join(wrong)}")
    return tuple(value)


def _headers(value: Any) -> dict[str, str | HeaderFromEnvironment]:
    """Header values are secrets more often than not, so no message shows one."""
    headers: dict[str, str | HeaderFromEnvironment] = {}
    wrong = []
    for name, given in _mapping(value).items():
        variable = given.get("env") if isinstance(given, dict) and len(given) == 1 else None
        if not isinstance(name, str):
            continue
        if not _HEADER_NAME.fullmatch(name):
            wrong.append(f"header names of letters, digits and hyphens, found {name!r}")
        elif name.lower() in {known.lower() for known in headers}:
            wrong.append(f"each header once, whatever its case, found {name!r} again")
        elif isinstance(given, str) and not _UNPRINTABLE.search(given):
            headers[name] = given
        elif isinstance(variable, str) and _VARIABLE_NAME.fullmatch(variable):
            headers[name] = HeaderFromEnvironment(variable)
        else:
            wrong.append(f"for header {name!r} one line of text in quotes, or {{env: NAME_OF_A_VARIABLE}}")
    if wrong:
        raise _Unexpected("; ".join(wrong))
    return headers


_TOP_KEYS: Mapping[str, _Checker] = {
    "partners": _mapping,
    "user_agent": _header_text,
    "contact": _header_text,
    "screening": _mapping,
    "placeholders": _mapping,
    "fingerprints": _mapping,
    "grouping": _mapping,
}

_PARTNER_KEYS: Mapping[str, _Checker] = {
    "allow_private_addresses": _true_or_false,
    "allowed_hosts": _host_names,
    "max_connections": _number(1, whole=True),
    "max_connections_total": _number(1, whole=True),
    "requests_per_second": _number_or_null,
    "attempts": _number(1, 10, whole=True),
    "backoff_seconds": _number(0),
    "host_patience_seconds": _number(0),
    "user_agent": _header_text,
    "contact": _header_text,
    "obey_robots_tag": _true_or_false,
    "recheck_after": _number_or_null,
    "trust": _number(0),
    "max_deleted_share": _number(0, 1),
    "max_failed_share": _number(0, 1),
    "headers": _headers,
}

_SCREENING_KEYS: Mapping[str, _Checker] = {
    "minimum_short": _number(0, above=True, whole=True),
    "minimum_long": _number(0, above=True, whole=True),
    "max_pixels": _number(0, above=True, whole=True),
    "decode_seconds": _number(0, above=True),
    "formats": _names,
}

_PLACEHOLDER_KEYS: Mapping[str, _Checker] = {
    "hotels": _number(1, whole=True),
}

_GROUPING_KEYS: Mapping[str, _Checker] = {
    "rule": _text,
    "threshold": _number(0, above=True),
    "mirrored": _true_or_false,
    "max_false_merge_rate": _number(0, 1),
    "min_recall": _number(0, 1),
}
