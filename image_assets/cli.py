"""The `image-assets` command. All work goes through Dagster's daemon, sensors and jobs; there is no second way.

Belongs here: arguments, messages, exit codes. Does not belong here: any behaviour (`commands`, one module each), the
arguments of `corpus …` (`corpus.commands`).
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import click

from image_assets.commands.messages import CommandGroup, say
from image_assets.corpus.commands import corpus
from resources.environment import EnvironmentProblem, parse_time, read_environment

# Stages that moved in this time are shown as running.
_RECENT_SECONDS = 60.0
_TAKEN_UP = "the running `image-assets dev`, or the next `image-assets run --until-idle`, takes it up."


@click.group(cls=CommandGroup, help=__doc__.splitlines()[0] if __doc__ else None)
def main() -> None:
    """The command group; what the environment says is checked before any module asks for it."""
    try:
        read_environment()
    except EnvironmentProblem as error:
        raise click.ClickException(str(error)) from error


@main.command()
@click.option(
    "--port", default=3000, show_default=True, help="Where the UI listens on 127.0.0.1; galleries are one port above."
)
def dev(port: int) -> None:
    """Run the UI, the daemon and the embedded services until Ctrl-C."""
    from image_assets.commands.running import run_for_ever

    run_for_ever(read_environment(), port, say)


@main.command()
@click.option("--until-idle", is_flag=True, help="Exit when nothing is left to do: 0, or 1 with the reasons.")
def run(until_idle: bool) -> None:
    """Run the daemon and the embedded services without the UI."""
    from image_assets.commands.running import run_for_ever, run_until_idle

    if not until_idle:
        run_for_ever(read_environment(), None, say)
    verdict = run_until_idle(read_environment(), say)
    for note in verdict.notes:
        say(f"NOTE      {note}")
    for reason in verdict.reasons:
        say(f"NOT DONE  {reason}")
    say("Idle: everything new is processed and published." if verdict.done else "Stopped: see above.")
    sys.exit(0 if verdict.done else 1)


@main.command()
def status() -> None:
    """Show queues, rates, time left and the state of each release."""
    from image_assets.certification import certification
    from image_assets.commands.services import open_house
    from image_assets.commands.status import status_lines
    from image_assets.partitions import SHARD_KEYS
    from image_assets.pending_work import pending_work
    from resources.ledger.overview import partners_overview, releases_overview
    from resources.ledger.progress import recent_progress

    with open_house() as house, house.ledger.connect() as connection:
        lines = status_lines(
            partners_overview(connection),
            releases_overview(connection, SHARD_KEYS),
            recent_progress(connection, time.time() - _RECENT_SECONDS),
            pending_work(house.store, house.ledger, house.methods, SHARD_KEYS, house.environment.release_wait),
            len(SHARD_KEYS),
            certification(connection, house.methods),
        )
        for line in lines:
            say(line)


@main.command()
def doctor() -> None:
    """Check database, store, permissions, versions and configuration."""
    from image_assets.commands.doctor import findings

    wrong = 0
    for finding in findings(read_environment()):
        say(finding.line)
        wrong += finding.advice is not None
    sys.exit(1 if wrong else 0)


@main.command("accept-shrink")
@click.argument("partner")
@click.argument("version")
def accept_shrink(partner: str, version: str) -> None:
    """Let a held catalogue VERSION of PARTNER through, although it deletes much."""
    from image_assets.commands.accepting import accept_held_catalogue

    _accept(accept_held_catalogue, partner, version)


@main.command("accept-release")
@click.argument("release")
def accept_release(release: str) -> None:
    """Let RELEASE be published although a gate over its hotels is closed."""
    from image_assets.commands.accepting import accept_closed_release

    _accept(accept_closed_release, release)


@main.command("accept-failures")
@click.argument("partner")
def accept_failures(partner: str) -> None:
    """Let the next release see the pictures of PARTNER although many of its images failed."""
    from image_assets.commands.accepting import accept_failing_partner

    _accept(accept_failing_partner, partner)


@main.command()
@click.argument("partner")
@click.option(
    "--reason", "reasons", multiple=True, help="Only images with this reason, rejected ones too; may be given again."
)
def retry(partner: str, reasons: tuple[str, ...]) -> None:
    """Give the failed images of PARTNER one more round of attempts."""
    from image_assets.commands.services import ready_ledger
    from resources.ledger.fetch_queue import requeue

    with ready_ledger(read_environment()) as ledger, ledger.connect() as connection:
        queued = requeue(connection, partner, reasons or None)
    if not queued:
        raise click.ClickException(f"{partner} has no {' or '.join(reasons) or 'failed'} images.")
    say(f"{queued:,} images are in line again; {_TAKEN_UP}")


@main.command()
@click.argument("verdict", type=click.Choice(["same", "different"]))
@click.argument("sha256_a")
@click.argument("sha256_b")
@click.option("--note", help="Why, for whoever lists the decisions.")
def decide(verdict: str, sha256_a: str, sha256_b: str, note: str | None) -> None:
    """Say that two images show the SAME picture or DIFFERENT ones, in every hotel that has both.

    SHA256_A and SHA256_B are sha256 sums or their first 8 or more hexadecimal digits.
    """
    from image_assets.commands import deciding
    from image_assets.commands.services import ready_ledger

    with ready_ledger(read_environment()) as ledger:
        say(deciding.decide(ledger, verdict == "same", sha256_a, sha256_b, note))
    say(f"Decided; {_TAKEN_UP}")


@main.command()
@click.argument("sha256_a")
@click.argument("sha256_b")
def undecide(sha256_a: str, sha256_b: str) -> None:
    """Take back what was decided on two images."""
    from image_assets.commands import deciding
    from image_assets.commands.services import ready_ledger

    with ready_ledger(read_environment()) as ledger:
        say(deciding.undecide(ledger, sha256_a, sha256_b))
    say(f"Taken back; {_TAKEN_UP}")


@main.command()
def decisions() -> None:
    """List what people decided on pairs of images."""
    from image_assets.commands.deciding import decision_lines
    from image_assets.commands.services import ready_ledger

    with ready_ledger(read_environment()) as ledger:
        for line in decision_lines(ledger):
            say(line)


@main.command()
@click.argument("hotel")
@click.option("--release", help="Default: the current one.")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Also draw each linked pair, aligned and side by side, into this PNG file.",
)
def explain(hotel: str, release: str | None, out: Path | None) -> None:
    """Say why the images of HOTEL are grouped as they are."""
    from image_assets.commands import explaining
    from image_assets.commands.services import open_house

    with open_house() as house, house.ledger.connect() as connection:
        found = explaining.explain(connection, house.store, house.methods, hotel, release)
        for line in explaining.explanation_lines(found):
            say(line)
        if out is not None:
            explaining.draw_explanation(connection, house.store, house.methods, found).save(out, "PNG")
            say(f"\n{len(found.links):,} links drawn into {out}")


@main.command()
@click.argument("release", required=False)
def placeholders(release: str | None) -> None:
    """List the pictures that RELEASE (default: the newest) leaves out: many hotels show them, or they are blank."""
    from image_assets.commands.placeholder_lines import HOTELS_NAMED, placeholder_lines
    from image_assets.commands.services import ready_ledger
    from resources.ledger.placeholders import hotels_with_placeholders_only, release_placeholders
    from resources.ledger.releases import data_release, newest_loaded

    with ready_ledger(read_environment()) as ledger, ledger.connect() as connection:
        name = release or newest_loaded(connection)
        known = data_release(connection, name) if name else None
        if known is None or known.frozen is None:
            raise click.ClickException(f"Data release {name} is not loaded." if name else "No data release is loaded.")
        found = release_placeholders(connection, known.release_id)
        without_others = hotels_with_placeholders_only(connection, known.release_id, HOTELS_NAMED)
    for line in placeholder_lines(known, found, without_others):
        say(line)


@main.command()
@click.option(
    "--delete", is_flag=True, help="Mark what is unused, and delete what was marked for longer than the grace."
)
@click.option("--originals", is_flag=True, help="Delete unused originals too, with their fingerprints.")
@click.option(
    "--grace", default="7d", show_default=True, metavar="TIME", help="Longer than the longest run; such as 36h or 10d."
)
def gc(delete: bool, originals: bool, grace: str) -> None:
    """Tell what nothing refers to any more; with --delete, collect it. Safe beside running work."""
    from image_assets.commands.garbage import GarbageError, collect_garbage, report_lines
    from image_assets.commands.services import open_house
    from resources.ledger.leases import LeaseHeld

    wait = parse_time(grace)
    if wait is None:
        raise click.BadParameter(f"{grace!r}: expected a time such as 36h or 10d", param_hint="--grace")
    with open_house() as house:
        try:
            collected = collect_garbage(
                house.store, house.ledger, house.methods, wait, delete=delete, originals=originals
            )
        except (GarbageError, LeaseHeld) as error:
            raise click.ClickException(f"nothing was collected: {error}") from error
    for line in report_lines(collected, delete=delete, originals=originals, grace=grace):
        say(line)


@main.command()
@click.argument("partner")
def recheck(partner: str) -> None:
    """Ask the servers of PARTNER whether pictures changed that its catalogue says nothing new of."""
    from image_assets.commands.services import ready_ledger
    from resources.ledger.fetch_queue import queue_rechecks

    with ready_ledger(read_environment()) as ledger, ledger.connect() as connection:
        queued = queue_rechecks(connection, partner)
    if not queued:
        raise click.ClickException(f"{partner} has no available images that are not in line already.")
    say(f"{queued:,} images are in line to be revalidated; {_TAKEN_UP}")


@main.command()
@click.argument("partner")
@click.option("--reason", help="Only images with this reason.")
def failures(partner: str, reason: str | None) -> None:
    """List the images of PARTNER that are not available: outcome, reason, attempts, HTTP status, URL, size."""
    from image_assets.commands.failure_lines import failure_line
    from image_assets.commands.services import ready_ledger
    from resources.ledger.catalogues import applied_catalogue
    from resources.ledger.fetch_results import failures as failed_images
    from resources.object_store import open_store

    environment = read_environment()
    with ready_ledger(environment) as ledger, ledger.connect() as connection:
        store = open_store(environment.store_url)
        if applied_catalogue(connection, partner) is None:
            raise click.ClickException(f"no catalogue of a partner {partner} is applied.")
        for image in failed_images(connection, partner, reason):
            click.echo(failure_line(image, store))


def _accept(accept: Callable[..., str | None], *names: str) -> None:
    from image_assets.commands.services import ready_ledger

    with ready_ledger(read_environment()) as ledger:
        refused = accept(ledger, *names)
    if refused:
        raise click.ClickException(refused)
    say(f"Accepted; {_TAKEN_UP}")


main.add_command(corpus)

if __name__ == "__main__":
    main()
