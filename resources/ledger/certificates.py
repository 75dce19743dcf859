"""The ledger's queries on certificates: what policies were measured to do.

Does not belong here: what a certificate says, and whether it is enough.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from resources.ledger.connection import Connection


def record_certificate(
    connection: Connection, certificate: str, method: str, body: Mapping[str, Any], report_key: str
) -> None:
    """Keep a certificate under its digest; made again, it is the newest again. `method` is of the fingerprints."""
    policy = body["policy"]
    connection.execute(
        """INSERT INTO certificates (certificate, rule, version, threshold, mirrored, method, body, report_key)
           VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
           ON CONFLICT (certificate) DO UPDATE SET evaluated_at = now(), report_key = excluded.report_key""",
        [
            certificate,
            policy["rule"],
            policy["version"],
            policy["threshold"],
            policy["mirrored"],
            method,
            json.dumps(body),
            report_key,
        ],
    )


def own_certificates(connection: Connection) -> list[dict[str, Any]]:
    """The newest certificate of every rule, version, threshold and fingerprint method, the newest last."""
    rows = connection.execute(
        """SELECT body FROM (
               SELECT DISTINCT ON (rule, version, threshold, mirrored, method) body, evaluated_at, certificate
               FROM certificates
               ORDER BY rule, version, threshold, mirrored, method, evaluated_at DESC, certificate) AS newest
           ORDER BY evaluated_at, certificate"""
    )
    return [row[0] for row in rows]


def forget_certificates(connection: Connection) -> int:
    """Drop all certificates; how many."""
    return connection.execute("DELETE FROM certificates").rowcount
