"""`image-assets corpus …`: arguments, messages and exit codes.

Does not belong here: what the commands do (one module each beside this one).
"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from image_assets.commands.messages import say


@click.group()
def corpus() -> None:
    """Labelled pairs of pictures: what a policy is proved on."""


# Of 60,000 different pairs in the held-out half one may be merged; 36,887 without any bound their rate by 1e-4 too.
@corpus.command()
@click.option(
    "--folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Take the pictures of this folder, all different; a subfolder is a hotel. Default: the pipeline's own.",
)
@click.option(
    "--pictures",
    type=click.IntRange(4, 10_000),
    default=1000,
    show_default=True,
    help="How many pictures to take at most, in whole hotels. Twice as many need four times the memory.",
)
@click.option("--same-pairs", default=5_000, show_default=True, help="Pairs of the same picture, in each half.")
@click.option("--different-pairs", default=60_000, show_default=True, help="Pairs of different ones, in each half.")
@click.option("--seed", default=0, show_default=True, help="Draws hotels, edits and pairs.")
def build(folder: Path | None, pictures: int, same_pairs: int, different_pairs: int, seed: int) -> None:
    """Make pairs: copies by edits, and pictures that differ."""
    from image_assets.commands.services import open_house
    from image_assets.corpus.building import build_corpus

    with open_house() as house:
        pairs = (same_pairs, different_pairs)
        built = build_corpus(house.ledger, house.store, house.methods, folder, pictures, seed, say, pairs)
    for line in built.left_out:
        say(f"LEFT OUT  {line}")
    if built.offered > built.pictures + len(built.left_out):
        say(
            f"Taken: {built.pictures:,} of {built.offered:,} files; the others are the same bytes again, or more than "
            "--pictures."
        )
    say(
        f"{built.pictures:,} pictures and {built.copies:,} edited copies of {built.origin}: {built.same:,} pairs of "
        f"the same picture, {built.different:,} of different ones. Next: image-assets corpus evaluate"
    )


@corpus.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def import_(file: Path) -> None:
    """Take labelled pairs from a CSV file with the columns a, b and label (same or different).

    a and b name an image each: the sha256 of one that the pipeline has, or an image file, its path taken from the
    folder of FILE. Rows that cannot be used are told; the others count. Another import of a file of the same name
    replaces what it gave.
    """
    from image_assets.commands.services import open_house
    from image_assets.corpus.importing import import_pairs

    with open_house() as house:
        imported = import_pairs(house.ledger, house.store, house.methods, file)
    for reject in imported.rejects:
        say(f"REFUSED   {reject.file}:{reject.line}: field {reject.field}: {reject.reason} ({reject.value!r})")
    say(
        f"{imported.same:,} pairs of the same picture and {imported.different:,} of different ones imported from "
        f"{imported.origin}; {len(imported.rejects):,} rows refused."
    )
    sys.exit(1 if imported.rejects else 0)


@corpus.command()
def show() -> None:
    """List where the labelled pairs are from."""
    from image_assets.commands.services import open_house
    from image_assets.dedup_quality.corpus import DECIDED
    from resources.ledger.corpus import OriginCount, origins
    from resources.ledger.decisions import pair_decisions

    with open_house() as house, house.ledger.connect() as connection:
        known, decided = origins(connection), pair_decisions(connection)
    if decided:
        same = sum(decision.same for decision in decided)
        known.append(OriginCount(DECIDED, "people; see image-assets decisions", same, len(decided) - same))
    for count in known:
        say(f"{count.kind:<10} {count.same:>9,} same {count.different:>9,} different  {count.origin}")
    if not known:
        say("No pairs yet: image-assets corpus build, or corpus import FILE.csv")


@corpus.command()
@click.argument("origin")
def forget(origin: str) -> None:
    """Take the pairs of ORIGIN (as `corpus show` names it) out of the corpus."""
    from image_assets.commands.services import open_house
    from resources.ledger.corpus import forget_origin

    with open_house() as house, house.ledger.connect() as connection:
        taken = forget_origin(connection, origin)
    if not taken:
        raise click.ClickException(f"No pairs are from {origin}; image-assets corpus show lists where they are from.")
    say(f"{taken:,} pairs taken out.")


@corpus.command()
def evaluate() -> None:
    """Judge the policy by the held-out half; the certificate that this makes opens the gate of image_groups or not."""
    from image_assets.commands.services import open_house
    from image_assets.corpus.evaluating import evaluate_corpus
    from image_assets.corpus.lines import certificate_lines
    from image_assets.store_pages import page_place

    with open_house() as house:
        evaluated = evaluate_corpus(house.ledger, house.store, house.methods)
        place = page_place(house.store.url, evaluated.report_key)
    for line in certificate_lines(evaluated.certificate, house.methods.required):
        say(line)
    if evaluated.left_out:
        say(f"Left out: {evaluated.left_out:,} pictures that another fingerprint method measured.")
    if evaluated.overruled:
        say(f"Overruled: {evaluated.overruled:,} labels that what people said contradicts.")
    if evaluated.between:
        say(f"Between the halves: {evaluated.between:,} pairs, which take part in nothing.")
    confused = evaluated.certificate.confused_pictures
    if confused.hits:
        say(
            f"Merged though labelled different: {confused.hits:,} of {confused.pairs:,} pairs of pictures. Look at "
            "them in the report, and correct the labels of those that are the same picture after all."
        )
    say(f"Report: {place}")
    if evaluated.problem:
        raise click.ClickException(f"The gate of image_groups is closed by this: {evaluated.problem}")
    say("The gate of image_groups is open for this policy.")


@corpus.command()
@click.option(
    "--max-false-merge-rate",
    type=click.FloatRange(0, 1, min_open=True),
    help="At most this share of different pairs may be merged, by the upper bound.  [default: what the gate requires]",
)
@click.option(
    "--precision",
    type=click.FloatRange(0, 1, max_open=True),
    help="At least this share of merged pairs must be right, by the lower bound and the ledger's mix of pairs.",
)
@click.option("--pictures", default=5000, show_default=True, help="Show the change in hotels with so many pictures.")
def tune(max_false_merge_rate: float | None, precision: float | None, pictures: int) -> None:
    """Propose the threshold with the best recall that meets a bound, on the tuning half, and show what it changes."""
    from image_assets.commands.services import open_house
    from image_assets.corpus.lines import proposal_lines
    from image_assets.corpus.tuning import propose_policy
    from image_assets.dedup_quality.tuning import Wanted

    with open_house() as house:
        if max_false_merge_rate is None and precision is None:
            max_false_merge_rate = house.methods.required.max_false_merge_rate
        proposal = propose_policy(house.ledger, house.methods, Wanted(max_false_merge_rate, precision), pictures)
    for line in proposal_lines(proposal):
        say(line)
    sys.exit(0 if proposal.best else 1)


@corpus.command("certificate")
@click.option("--forget", is_flag=True, help="Drop the certificates made here, so that the one of the package counts.")
def show_certificate(forget: bool) -> None:
    """Show what certifies the present policy."""
    from image_assets.certification import certification
    from image_assets.commands.services import open_house
    from image_assets.corpus.lines import certificate_lines
    from resources.ledger.certificates import forget_certificates

    with open_house() as house, house.ledger.connect() as connection:
        if forget:
            say(f"{forget_certificates(connection):,} certificates dropped.")
        found = certification(connection, house.methods)
    if found.certificate:
        for line in certificate_lines(found.certificate, house.methods.required):
            say(line)
    say(f"The gate of image_groups is {'closed' if found.problem else 'open'}: {found.line}")
