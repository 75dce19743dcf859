"""The report: one page that needs nothing else, says what the gate says, and shows the worst mistakes as pictures."""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from html.parser import HTMLParser
from urllib.parse import unquote
from xml.etree import ElementTree

from dedup_quality.corpus_pictures import names, pair, picture, resembling

from image_assets.dedup_quality.corpus import Corpus, CorpusPicture, LabelledPair, labelled_corpus
from image_assets.dedup_quality.evaluation import Evaluation, Mix, evaluate
from image_assets.dedup_quality.report import MISTAKES_SHOWN, render_report, worst_pairs
from image_assets.image_groups import TALK_POLICY, Requirements
from image_assets.image_groups.certificate import shortcoming

HOSTILE = "<script>alert('x')</script>\"><img src=x onerror=alert(1)>"
REQUIRED = Requirements()


def judged() -> tuple[Corpus, Evaluation]:
    """Ten pictures with a copy each; the second looks like the first, and the copy of the third like nothing."""
    pictures: list[CorpusPicture] = []
    pairs: list[LabelledPair] = []
    originals = [picture(name) for name in names(10, held_out=True)]
    originals[0] = replace(originals[0], name=HOSTILE)
    originals[1] = resembling(originals[1], originals[0])
    for number, original in enumerate(originals):
        copy = picture(names(10, held_out=True)[number], "grey")
        copy = copy if number == 2 else resembling(copy, original)
        pictures += [original, copy]
        pairs.append(pair(original, copy, True, detail="grey"))
    pairs += [pair(a, b, False, detail="nearest") for i, a in enumerate(originals) for b in originals[i + 1 :]]
    corpus = labelled_corpus(pictures, pairs)
    return corpus, evaluate(corpus, TALK_POLICY, "dhash-1", Mix(7, 1234, 56_789))


def page(previews: dict[str, bytes] | None = None) -> str:
    corpus, evaluation = judged()
    problem = shortcoming(TALK_POLICY, "dhash-1", evaluation.certificate, REQUIRED)
    return render_report(corpus, evaluation, REQUIRED, problem, previews or {})


class _Page(HTMLParser):
    def __init__(self, text: str):
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def test_the_page_needs_nothing_from_elsewhere_and_runs_no_script() -> None:
    tags = _Page(page()).tags
    assert "script" not in {tag for tag, _ in tags}
    links = [value for _, attributes in tags for name, value in attributes.items() if name in ("src", "href")]
    assert all(str(link).startswith("data:") for link in links)
    assert "url(" not in page()
    assert not any(name.startswith("on") for _, attributes in tags for name in attributes)


def test_the_worst_mistakes_come_first_and_are_framed() -> None:
    corpus, evaluation = judged()
    confused, missed = worst_pairs(corpus, evaluation)
    assert [found.wrong for found in confused[:2]] == [True, False]
    assert [found.wrong for found in missed[:2]] == [True, False]
    assert len(confused) == MISTAKES_SHOWN
    framed = [a for tag, a in _Page(page()).tags if tag == "li" and a.get("class") == "pair wrong"]
    assert len(framed) == 2


def test_pictures_are_shown_by_their_previews_and_without_one_by_their_thumbnails() -> None:
    corpus, evaluation = judged()
    first = worst_pairs(corpus, evaluation)[0][0].a
    text = page({first.key: b"a small JPEG"})
    assert f"data:image/jpeg;base64,{base64.b64encode(b'a small JPEG').decode()}" in text
    assert "data:image/png;base64," in text


def test_the_pairs_to_look_at_come_as_a_file_that_can_be_imported() -> None:
    (link,) = [a["href"] for tag, a in _Page(page()).tags if tag == "a"]
    lines = unquote(str(link).partition(",")[2]).splitlines()
    assert lines[0].startswith("a,b,label")
    assert re.fullmatch(r"[0-9a-f]{64},[0-9a-f]{64},different,.*", lines[1])


def test_of_all_copies_of_two_pictures_the_worst_is_shown_and_every_merged_pair_of_pictures_can_be_labelled() -> None:
    originals = [picture(name) for name in names(9, held_out=True)]
    originals = [resembling(made, originals[0]) for made in originals]  # all are merged
    copies = [resembling(picture(made.name, "grey"), made) for made in originals]
    pairs = [
        pair(x, y, False, detail="nearest")
        for i in range(9)
        for j in range(i + 1, 9)
        for x in (originals[i], copies[i])
        for y in (originals[j], copies[j])
    ]
    corpus = labelled_corpus([*originals, *copies], pairs)
    evaluation = evaluate(corpus, TALK_POLICY, "dhash-1", None)
    confused, _ = worst_pairs(corpus, evaluation)
    shown = [frozenset((judged.a.source, judged.b.source)) for judged in confused]
    assert len(set(shown)) == len(shown) == MISTAKES_SHOWN
    text = render_report(corpus, evaluation, REQUIRED, None, {})
    (link,) = [a["href"] for tag, a in _Page(text).tags if tag == "a"]
    rows = unquote(str(link).partition(",")[2]).splitlines()[1:]
    assert len({frozenset(row.split(",")[:2]) for row in rows}) == len(rows) == 9 * 8 / 2


def test_the_curve_to_choose_by_is_that_of_the_tuning_half_and_is_named() -> None:
    text = page()
    assert "no pairs for tuning" in text
    assert "beside curve" not in text
    corpus, _ = judged()
    tuned = [picture(name) for name in names(2, held_out=False)]
    both = labelled_corpus(
        [*corpus.pictures, *tuned],
        [
            pair(*tuned, False),
            *(
                pair(corpus.pictures[a], corpus.pictures[b], bool(same), detail=str(detail))
                for (a, b), same, detail in zip(corpus.pairs, corpus.same, corpus.details, strict=True)
            ),
        ],
    )
    text = render_report(both, evaluate(both, TALK_POLICY, "dhash-1", None), REQUIRED, None, {})
    assert text.count("beside curve") == 2
    assert "Dotted: the tuning half" in text


def test_the_verdict_is_that_of_the_gate() -> None:
    assert "The gate is closed" in page()
    corpus, evaluation = judged()
    assert "The gate is open" in render_report(corpus, evaluation, REQUIRED, None, {})


def test_figures_bounds_and_the_mix_are_on_the_page() -> None:
    _, evaluation = judged()
    text = page()
    assert evaluation.certificate.digest in text
    for said in ("9 of 10 pairs, 10 source pictures", "1 of 45 different pairs, 10 source pictures", "1,234", "56,789"):
        assert said in text


def test_every_chart_is_drawn_and_well_formed() -> None:
    charts = re.findall(r"<svg.*?</svg>", page(), re.DOTALL)
    assert len(charts) == 3 + 1  # scores, two curves, one edit
    for chart in charts:
        assert ElementTree.fromstring(chart).tag == "svg"
    bars = list(ElementTree.fromstring(charts[0]).iter("rect"))
    drawn = {str(rect.get("class")): 0 for rect in bars}
    for rect in bars:
        drawn[str(rect.get("class"))] += int(str(rect.findtext("title")).split()[0].replace(",", ""))
    assert drawn == {"same": 10, "different": 45}


def test_names_cannot_become_markup() -> None:
    assert HOSTILE not in page()
    assert "onerror" not in {name for _, attributes in _Page(page()).tags for name in attributes}
