"""Reading `partners.yaml`: every mistake of the file at once, each with its line or partner, its key and what was
expected.

Belongs here: which keys there are, and where. Does not belong here: what a single value may be (checked_values), what
the settings mean (settings).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml

from resources.partners.checked_values import (
    Checker,
    Unexpected,
    header_text,
    headers,
    host_names,
    mapping,
    names,
    number,
    number_or_null,
    text,
    true_or_false,
)
from resources.partners.settings import Partners, PartnerSettings


class PartnersFileError(ValueError):
    """`partners.yaml` has mistakes; the message lists all of them, `mistakes` has one line for each."""

    def __init__(self, path: Path, mistakes: list[str]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__("\n".join(f"{path}: {mistake}" for mistake in mistakes))


_TOP_KEYS: Mapping[str, Checker] = {
    "partners": mapping,
    "user_agent": header_text,
    "contact": header_text,
    "screening": mapping,
    "placeholders": mapping,
    "fingerprints": mapping,
    "grouping": mapping,
}

_PARTNER_KEYS: Mapping[str, Checker] = {
    "allow_private_addresses": true_or_false,
    "allowed_hosts": host_names,
    "max_connections": number(1, whole=True),
    "max_connections_total": number(1, whole=True),
    "requests_per_second": number_or_null,
    "attempts": number(1, 10, whole=True),
    "backoff_seconds": number(0),
    "host_patience_seconds": number(0),
    "total_seconds": number(0, 3600, above=True),
    "connect_seconds": number(0, 3600, above=True),
    "stall_seconds": number(0, 3600, above=True),
    "max_bytes": number(1, whole=True),
    "user_agent": header_text,
    "contact": header_text,
    "obey_robots_tag": true_or_false,
    "recheck_after": number_or_null,
    "trust": number(0),
    "max_deleted_share": number(0, 1),
    "max_failed_share": number(0, 1),
    "headers": headers,
}

_SCREENING_KEYS: Mapping[str, Checker] = {
    "minimum_short": number(0, above=True, whole=True),
    "minimum_long": number(0, above=True, whole=True),
    "max_pixels": number(0, above=True, whole=True),
    "decode_seconds": number(0, above=True),
    "formats": names,
}

_PLACEHOLDER_KEYS: Mapping[str, Checker] = {
    "hotels": number(1, whole=True),
}

_GROUPING_KEYS: Mapping[str, Checker] = {
    "rule": text,
    "threshold": number(0, above=True),
    "mirrored": true_or_false,
    "max_false_merge_rate": number(0, 1),
    "min_recall": number(0, 1),
}


def load_partners(path: Path | None) -> Partners:
    """Read `partners.yaml`; None (no file configured) is no listed partner. Raises PartnersFileError.

    Every mistake of the file is reported at once, with line, partner, key and what was expected.
    """
    if path is None:
        return Partners()
    try:
        written = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise PartnersFileError(path, [f"cannot be read: {error}"]) from error
    try:
        loader = yaml.SafeLoader(written)
        root = loader.get_single_node()
        mistakes = list(_key_mistakes(root, "", set()))
        content = loader.construct_document(root) if root is not None else None
    except (yaml.YAMLError, ValueError) as error:
        raise PartnersFileError(path, [f"is not YAML: {' '.join(str(error).split())}"]) from error
    found = _checked_file(content, mistakes)
    if mistakes:
        raise PartnersFileError(path, mistakes)
    return found


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
            values = _checked_keys(mapping(entry), _PARTNER_KEYS, where, mistakes)
        except Unexpected as expected:
            mistakes.append(f"{where}: expected {expected}")
            continue
        listed[partner_id] = replace(unlisted, partner_id=partner_id, **values)
    screening = _checked_keys(top.get("screening") or {}, _SCREENING_KEYS, "screening", mistakes)
    fingerprints = _checked_keys(top.get("fingerprints") or {}, {"algorithm": text}, "fingerprints", mistakes)
    placeholders = _checked_keys(top.get("placeholders") or {}, _PLACEHOLDER_KEYS, "placeholders", mistakes)
    grouping = _checked_keys(top.get("grouping") or {}, _GROUPING_KEYS, "grouping", mistakes)
    return Partners(listed, unlisted, screening, placeholders, fingerprints.get("algorithm"), grouping)


def _checked_keys(
    found: Mapping[Any, Any], checkers: Mapping[str, Checker], where: str, mistakes: list[str]
) -> dict[str, Any]:
    """The values that pass their checker, by key; what does not pass is added to `mistakes`."""
    kept = {}
    for key, value in found.items():
        if not isinstance(key, str):
            continue
        place = f"{where}, key {key!r}" if where else f"key {key!r}"
        if key not in checkers:
            meant = get_close_matches(key, checkers, n=1)
            known = f"did you mean {meant[0]!r}?" if meant else f"expected one of {', '.join(checkers)}"
            mistakes.append(f"{place}: unknown key; {known}")
            continue
        try:
            kept[key] = checkers[key](value)
        except Unexpected as expected:
            mistakes.append(f"{place}: expected {expected}")
    return kept
