"""`python -m demo.certificates`: make the certificates that the package brings, byte for byte the same each time.

From material that the project may show: the demo's photographs (Pexels licence). All count as held out, though the rule
was tuned on about half of them: a start for newcomers, not a proof (docs/same-picture-guarantee.md). Does not belong
here: making pairs and judging policies (`image_assets.dedup_quality`).
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

import image_assets.image_groups
from demo.photographs import PICTURE_NAMES, Picture, photograph, photograph_folder
from image_assets.dedup_quality.corpus import Corpus, labelled_corpus
from image_assets.dedup_quality.evaluation import evaluate
from image_assets.dedup_quality.making import (
    LONG_SIDE,
    MadePicture,
    Original,
    different_pairs,
    made_pictures,
    planned_copies,
    same_pairs,
)
from image_assets.fingerprints import method_version
from image_assets.image_groups import ALIGNED_POLICY, TALK_POLICY, Certificate, Policy
from image_assets.image_groups.certificate import BUILT_IN
from image_assets.image_groups.edits import as_jpeg
from image_assets.methods import DEFAULT_ALGORITHM

TARGET = Path(image_assets.image_groups.__file__).with_name(BUILT_IN)
POLICIES = tuple(
    replace(policy, mirrored=mirrored) for policy in (ALIGNED_POLICY, TALK_POLICY) for mirrored in (False, True)
)
_ORIGIN, _SEED = "the demo", 0
# The table of `reading-table`, the camera moved a little: same picture or not is a matter of taste, not of truth.
_LEFT_OUT = ("leaf-table",)
# Of each half of the sources.
SAME_PAIRS, DIFFERENT_PAIRS = 2_100, 30_000


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
        recall, false = certificate.recall, certificate.false_merges
        print(
            f"{certificate.policy}: recall at least {recall.lower:.4f} ({recall.hits} of {recall.pairs}), "
            f"false merges at most {false.upper:.2g} ({false.hits} of {false.pairs})"
        )
    return 0


def sources(folder: Path) -> list[_Source]:
    """The photographs of `folder` as JPEG files."""
    return [_photographed(name, folder) for name in PICTURE_NAMES if name not in _LEFT_OUT]


def built_in_corpus(made_from: Sequence[_Source], same: int, different: int) -> Corpus:
    """The corpus of some sources, all of it held out; `same` and `different` pairs of each half of them."""
    copies = planned_copies([source.original.sha256 for source in made_from], _SEED, same)

    def measured(source: _Source) -> list[MadePicture]:
        own = [copy for copy in copies if copy.source == source.original.sha256]
        return list(made_pictures(source.original, source.data, own, _SEED, DEFAULT_ALGORITHM))

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        pictures = [made.picture for group in pool.map(measured, made_from) for made in group]
    originals = [picture for picture in pictures if not picture.edit]
    pairs = [*same_pairs(copies, _ORIGIN), *different_pairs(originals, copies, _SEED, _ORIGIN, different)]
    corpus = labelled_corpus(pictures, pairs)
    return replace(corpus, held_out=np.ones_like(corpus.held_out))


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
