"""A command outlives a database or a store that is gone for a while: it stops everything, waits, and begins anew.

Runs wait out short outages by themselves (outages); this is for when Dagster has given up. Does not belong here: what
the command does.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import partial
from typing import TypeVar

import psycopg
import sqlalchemy as sa
from dagster_postgres.utils import DagsterPostgresException
from obstore.exceptions import BaseError as ObjectStoreError
from psycopg.conninfo import conninfo_to_dict

from image_assets.commands.services import database, ready_ledger
from image_assets.outages import OutageLasted, is_outage, wait_out
from resources.environment import Environment
from resources.ledger import Ledger
from resources.object_store import open_store

Result = TypeVar("Result")

_CONNECT_SECONDS = 10


def outlive_outages(environment: Environment, work: Callable[[Ledger], Result], say: Callable[[str], None]) -> Result:
    """`work`'s result with a ready ledger. Each time an outage ends it, it is begun anew when all answers again.

    It leaves nothing running when it ends. Raises OutageLasted with the cause when the outages took longer than
    OUTAGE_WAIT in all, counted anew once `work` went well for as long; other faults, and an outage at the very start,
    are raised as they are.
    """
    logging.getLogger().addFilter(_tells_no_retry)
    patience = environment.outage_wait.total_seconds()
    begun = False
    outages_began: float | None = None
    while True:
        at_work = None
        try:
            with ready_ledger(environment) as ledger:
                begun, at_work = True, time.monotonic()
                return work(ledger)
        except Exception as error:
            fault = _outage(environment, error) if begun else None
            if fault is None:
                raise
        now = time.monotonic()
        if outages_began is None or (at_work is not None and now - at_work > patience):
            outages_began = now
        place, left = _place(environment, fault), patience - (now - outages_began)
        if left <= 0:  # it answers, but not for long
            raise OutageLasted(f"{place} was gone again and again for {now - outages_began:,.0f} s: {fault}") from fault
        say(f"{place} is gone. Everything is stopped and goes on when it answers, if it does within {left:,.0f} s.")
        wait_out(place, partial(_reach, environment), left)
        say(f"{place} answers again; going on.")


def _tells_no_retry(record: logging.LogRecord) -> bool:
    """False for what Dagster's storage logs in four lines at each of its retries: the command says it once."""
    return not record.getMessage().startswith("Retrying failed database connection")


def _outage(environment: Environment, error: Exception) -> Exception | None:
    """The outage that `error` is, or that explains it: a program may have ended because its database was gone."""
    if isinstance(error, DagsterPostgresException | sa.exc.OperationalError | sa.exc.InterfaceError):
        return error
    if is_outage(error) and not isinstance(error, OSError):  # these are about our own ports and files
        return error
    try:
        _reach(environment)
    except (psycopg.OperationalError, ObjectStoreError, OSError) as fault:
        return fault if is_outage(fault) else None
    return None


def _reach(environment: Environment) -> None:
    """Raise what keeps us from the database or the store now."""
    with database(environment) as url:
        psycopg.connect(url, connect_timeout=_CONNECT_SECONDS).close()
    any(open_store(environment.store_url).objects("data-releases"))


def _place(environment: Environment, fault: Exception) -> str:
    """What is gone, for people; without the password."""
    if isinstance(fault, ObjectStoreError | OSError):
        return f"The store {environment.store_url}"
    if environment.database_url is None:
        return "The embedded PostgreSQL"
    named = conninfo_to_dict(environment.database_url)
    return f"The database at {named.get('host', 'localhost')}:{named.get('port', 5432)}"
