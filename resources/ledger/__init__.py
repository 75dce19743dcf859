"""The ledger: our PostgreSQL tables, the one record of what exists and what is still to do.

One module of set-based queries a stage; `schema` migrates, `embedded` runs a local server.
"""

from resources.ledger.connection import Connection, Ledger

__all__ = ["Connection", "Ledger"]
