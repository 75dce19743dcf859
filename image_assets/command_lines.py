"""What every command of ours does with lines for people: print them at once, and turn mistakes into one message.

Does not belong here: what a command says.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click


def say(line: str) -> None:
    """Print a line at once, also into a pipe."""
    click.echo(line)
    sys.stdout.flush()


@contextmanager
def clear_messages() -> Iterator[None]:
    """Users' mistakes and missing parts end in one message, not in a traceback."""
    import psycopg
    from dagster_postgres.utils import DagsterPostgresException
    from obstore.exceptions import BaseError as ObjectStoreError
    from sqlalchemy.exc import DBAPIError

    from image_assets.corpus.building import NoPictures
    from image_assets.corpus.evaluating import NoPairs
    from image_assets.corpus.importing import UnreadablePairs
    from image_assets.deciding import DecisionRefused
    from image_assets.explaining import NothingToExplain
    from image_assets.outages import OutageLasted
    from image_assets.renditions import RecipesFileError
    from image_assets.running import AlreadyRunning
    from image_assets.services import DagsterSettingsError
    from image_assets.supervision import ProgramEnded
    from resources.ledger.embedded import EmbeddedPostgresError
    from resources.object_store import StoreUrlError, store_fault
    from resources.partners import PartnersFileError

    try:
        yield
    except (
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
    ) as error:
        raise click.ClickException(str(error)) from error
    except (psycopg.OperationalError, DBAPIError, DagsterPostgresException) as error:
        fault = error.__cause__ if isinstance(error, DagsterPostgresException) else error
        cause = fault.orig if isinstance(fault, DBAPIError) else fault
        raise _told(f"the database: {cause}") from error
    except OutageLasted as error:
        raise _told(str(error)) from error
    except ObjectStoreError as error:
        raise _told(f"the store: {store_fault(error)}") from error
    except BrokenPipeError:
        raise  # whoever read what we print has enough, as `head` has; click ends the command quietly
    except OSError as error:
        raise _told(store_fault(error)) from error


def _told(problem: str) -> click.ClickException:
    return click.ClickException(f"{' '.join(problem.split())} (image-assets doctor says what to do)")
