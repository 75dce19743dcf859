"""A partner's fetch queue as a list, for tests that play the fetcher."""

from __future__ import annotations

from resources.ledger import Connection
from resources.ledger.fetch_queue import QueuedFetch, queued_fetches, queued_hosts


def whole_queue(connection: Connection, partner_id: str) -> list[QueuedFetch]:
    """All that is to be fetched, by host and key."""
    hosts = queued_hosts(connection, partner_id, None, 1000)
    return queued_fetches(connection, partner_id, {}, dict.fromkeys(hosts, 1000))
