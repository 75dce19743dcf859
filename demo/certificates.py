"""`python -m demo.certificates`: make the certificates that the package brings, byte for byte the same each time.

From material that the project may show: the demo's photographs (Pexels licence). All count as held out, though the rule
was tuned on about half of them: a start for newcomers, not a proof (docs/same-picture-guarantee.md). The rooms that the
demo draws are judged beside them, for nothing was tuned on these; they look like no photograph, so they are in no
certificate. Does not belong here: making pairs and judging policies (`image_assets.dedup_quality`).
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

import numpy as np

import image_assets.image_groups
from demo.drawn_scenes import draw_scene
from demo.photographs import PICTURE_NAMES, Picture, photograph, photograph_folder
from image_assets.dedup_quality.corpus import DECIDED, Corpus, LabelledPair, labelled_corpus
from image_assets.dedup_quality.edits import as_jpeg
from image_assets.dedup_quality.evaluation import evaluate
from image_assets.dedup_quality.making import (
    LONG_SIDE,
    Copy,
    MadePicture,
    Original,
    alike_copies,
    different_pairs,
    made_pictures,
    planned_copies,
    same_pairs,
)
from image_assets.fingerprints import method_version
from image_assets.image_groups import ALIGNED_POLICY, TALK_POLICY, Certificate, Policy
from image_assets.image_groups.certificate import BUILT_IN
from image_assets.methods import DEFAULT_ALGORITHM

TARGET = Path(image_assets.image_groups.__file__).with_name(BUILT_IN)
POLICIES = tuple(
    replace(policy, mirrored=mirrored) for policy in (ALIGNED_POLICY, TALK_POLICY) for mirrored in (False, True)
)
_ORIGIN, _SEED = "the demo", 0
# Two shots of one scene each, the camera moved and things put away: different by the letter, though no gallery wants
# both. Their copies would be hundreds of trials on two matters of taste, so these pairs are labelled as what people
# decide: counted by themselves, in no rate.
ONE_SCENE = (("reading-table", "leaf-table"), ("sink-and-leaves", "kitchen-sink"))
SAME_PAIRS, DIFFERENT_PAIRS = 4_200, 60_000
DRAWN_ROOMS = 40


@dataclass(frozen=True)
class _Source:
    name: str
    data: bytes

    @property
    def original(self) -> Original:
        return Original(hashlib.sha256(self.data).hexdigest(), None, self.name)


def main() -> int:
    """Write the file. Returns the exit code."""
    folder = photograph_folder()
    if folder is None:
        print("The photographs are not installed: make certificates installs them.", file=sys.stderr)
        return 1
    corpus = built_in_corpus(sources(folder), SAME_PAIRS, DIFFERENT_PAIRS)
    certificates = [certified(corpus, policy) for policy in POLICIES]
    TARGET.write_text(certificates_json(certificates))
    for certificate in certificates:
        decided = certificate.decided
        print(f"{_told(certificate)}, agrees on {decided.hits} of {decided.pairs} shots of one scene")
    drawn = built_in_corpus(drawn_rooms(DRAWN_ROOMS), SAME_PAIRS // 3, DIFFERENT_PAIRS // 3)
    for policy in (ALIGNED_POLICY, TALK_POLICY):
        print(f"{DRAWN_ROOMS} drawn rooms, in no certificate: {_told(certified(drawn, policy))}")
    return 0


def _told(certificate: Certificate) -> str:
    recall, false, confused = certificate.recall, certificate.false_merges, certificate.confused_pictures
    return (
        f"{certificate.policy}: recall at least {recall.lower:.4f} ({recall.hits} of {recall.pairs}), false merges at "
        f"most {false.upper:.2g} ({false.hits} of {false.pairs}; {confused.hits} of {confused.pairs} pairs of pictures)"
    )


def sources(folder: Path) -> list[_Source]:
    """The photographs of `folder` as JPEG files."""
    return [_photographed(name, folder) for name in PICTURE_NAMES]


def drawn_rooms(count: int) -> list[_Source]:
    """Rooms that the demo draws when it has no photographs, others than there."""
    return [
        _Source(f"drawn room {number}", as_jpeg(draw_scene(len(PICTURE_NAMES) + number, LONG_SIDE), 92))
        for number in range(count)
    ]


def built_in_corpus(made_from: Sequence[_Source], same: int, different: int) -> Corpus:
    """The corpus of some sources, all of it held out; every two of them are compared."""
    sha256s = [source.original.sha256 for source in made_from]
    copies = planned_copies(sha256s, _SEED, same)
    of_source: dict[str, list[Copy]] = {sha256: [] for sha256 in sha256s}
    for copy in (*copies, *alike_copies(sha256s)):
        of_source[copy.source].append(copy)

    def measured(source: _Source) -> list[MadePicture]:
        own = of_source[source.original.sha256]
        return list(made_pictures(source.original, source.data, own, _SEED, DEFAULT_ALGORITHM))

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        pictures = [made.picture for group in pool.map(measured, made_from) for made in group]
    named = {picture.key: picture.name for picture in pictures}
    originals = [picture for picture in pictures if not picture.edit]
    unlike = [
        pair
        for pair in different_pairs(originals, copies, _SEED, _ORIGIN, different)
        if not _one_scene(named[pair.a], named[pair.b])
    ]
    decided = [
        LabelledPair(min(a.key, b.key), max(a.key, b.key), False, DECIDED, _ORIGIN)
        for a, b in combinations(originals, 2)
        if _one_scene(a.name, b.name)
    ]
    used = {end for pair in unlike for end in (pair.a, pair.b)} | {copy.key for copy in copies}
    kept = [picture for picture in pictures if picture.key in used or not picture.edit]
    corpus = labelled_corpus(kept, [*same_pairs(copies, _ORIGIN), *unlike, *decided])
    return replace(corpus, held_out=np.ones_like(corpus.held_out), tuning=np.zeros_like(corpus.tuning))


def _one_scene(a: str, b: str) -> bool:
    return (a, b) in ONE_SCENE or (b, a) in ONE_SCENE


def certified(corpus: Corpus, policy: Policy) -> Certificate:
    """The certificate of a policy on fingerprints of the default method."""
    return evaluate(corpus, policy, method_version(DEFAULT_ALGORITHM), None).certificate


def certificates_json(certificates: Sequence[Certificate]) -> str:
    """The file's text."""
    return json.dumps([certificate.content for certificate in certificates], indent=1, ensure_ascii=False) + "\n"


def _photographed(name: str, folder: Path) -> _Source:
    image = photograph(Picture(name), folder).copy()
    image.thumbnail((LONG_SIDE, LONG_SIDE))
    return _Source(name, as_jpeg(image, 92))


if __name__ == "__main__":
    sys.exit(main())
