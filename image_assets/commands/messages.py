"""What every command does with lines for people: print them at once, and turn mistakes into one message.

Does not belong here: what a command says.
"""

from __future__ import annotations

import sys
from typing import Any

import click


def say(line: str) -> None:
    """Print a line at once, also into a pipe."""
    click.echo(line)
    sys.stdout.flush()


class CommandGroup(click.Group):
    """Commands of which users' mistakes and missing parts end in one message, not in a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; raises ClickException with the message."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.Abort, click.exceptions.Exit):
            raise
        except Exception as error:
            if (message := message_for(error)) is None:
                raise
            raise click.ClickException(message) from error


def message_for(error: Exception) -> str | None:
    """What to tell people of an error, in place of a traceback; None for one that is a mistake of ours."""
    # Imported when something went wrong: the command answers `--help` without Dagster.
    import psycopg
    from dagster_postgres.utils import DagsterPostgresException
    from obstore.exceptions import BaseError as ObjectStoreError
    from sqlalchemy.exc import DBAPIError

    from image_assets.commands.deciding import DecisionRefused
    from image_assets.commands.explaining import NothingToExplain
    from image_assets.commands.running import AlreadyRunning
    from image_assets.commands.services import DagsterSettingsError
    from image_assets.corpus.building import NoPictures
    from image_assets.corpus.evaluating import NoPairs
    from image_assets.corpus.importing import UnreadablePairs
    from image_assets.outages import OutageLasted
    from image_assets.renditions import RecipesFileError
    from image_assets.supervision import ProgramEnded
    from resources.ledger.embedded import EmbeddedPostgresError
    from resources.object_store import StoreUrlError, store_fault
    from resources.partners import PartnersFileError

    say_it_all = (
        AlreadyRunning,
        DagsterSettingsError,
        DecisionRefused,
        EmbeddedPostgresError,
        NoPairs,
        NoPictures,
        NothingToExplain,
        PartnersFileError,
        ProgramEnded,
        RecipesFileError,
        StoreUrlError,
        UnreadablePairs,
    )
    if isinstance(error, say_it_all):
        return str(error)
    if isinstance(error, psycopg.OperationalError | DBAPIError | DagsterPostgresException):
        fault = error.__cause__ if isinstance(error, DagsterPostgresException) else error
        return _with_advice(f"the database: {fault.orig if isinstance(fault, DBAPIError) else fault}")
    if isinstance(error, OutageLasted):
        return _with_advice(str(error))
    if isinstance(error, ObjectStoreError):
        return _with_advice(f"the store: {store_fault(error)}")
    # Of a broken pipe click ends the command quietly: whoever reads what we print has enough, as `head` has.
    if isinstance(error, OSError) and not isinstance(error, BrokenPipeError):
        return _with_advice(store_fault(error))
    return None


def _with_advice(problem: str) -> str:
    return f"{' '.join(problem.split())} (image-assets doctor says what to do)"
