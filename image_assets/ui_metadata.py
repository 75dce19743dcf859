"""What the UI shows of assets and gates: tables with their columns, rows as tables, gates as checks.

Does not belong here: which numbers an asset tells (each says its own).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import dagster as dg

from resources.ledger.gates import Gate


def asset_table(name: str, *columns: tuple[str, str, str]) -> dict[str, Any]:
    """The table that an asset is, as the asset's metadata: its name and its (column, type, description)."""
    return {
        "dagster/column_schema": dg.TableSchema(
            [dg.TableColumn(column, kind, description=description) for column, kind, description in columns]
        ),
        "dagster/table_name": name,
    }


def shown_rows(rows: Iterable[Mapping[str, str | int | float | bool]]) -> dg.TableMetadataValue:
    """Rows with the same keys as a table in the metadata of a materialisation."""
    records = [dg.TableRecord(dict(row)) for row in rows]
    first = records[0].data if records else {}
    columns = [dg.TableColumn(name, "int" if type(value) is int else "string") for name, value in first.items()]
    return dg.MetadataValue.table(records, dg.TableSchema(columns))


def first_rejected(rejects: Sequence[tuple[str, int, str, str, str]]) -> dict[str, dg.TableMetadataValue]:
    """Rejected rows of a user's file (file, line, field, reason, value) as a table in the metadata; none, no table."""
    columns = ("file", "line", "field", "reason", "value")
    return {"first_rejected": shown_rows(dict(zip(columns, row, strict=True)) for row in rejects)} if rejects else {}


def check_result(context: dg.AssetExecutionContext, gate: Gate, **measured: float) -> dg.AssetCheckResult:
    """A gate's outcome as the asset check that the UI shows; an accepted gate is open and says so.

    `measured` is what the gate judged, as plottable numbers. Dagster fails the step of a closed gate with the name of
    the check only, so the reason goes into the run's log as well.
    """
    message = gate.message + (" Let through by hand." if gate.accepted else "")
    if gate.closed:
        context.log.error(f"Gate {gate.gate} of {gate.partition_key} is closed: {message}")
    return dg.AssetCheckResult(
        check_name=gate.gate,
        passed=not gate.closed,
        severity=dg.AssetCheckSeverity.ERROR,
        description=message,
        metadata={"input_digest": gate.input_digest, **measured},
    )
