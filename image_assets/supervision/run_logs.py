"""What a run prints, kept for the UI by the run's own process alone. Named in dagster.yaml; on S3: `run_logs_on_s3`.

Dagster itself starts a `tail` for each of the two files, which copies it to the output that the run was started with,
and for each `tail` a process that ends it when the run is killed. When everything is killed one by one, these two may
die first, and a `tail` that was just started stays for ever. Under our supervisor nobody reads that copy.

Does not belong here: what is printed, other processes' logs (children).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dagster._core.execution.compute_logs import redirect_to_file
from dagster._core.storage.compute_log_manager import CapturedLogContext, ComputeIOType
from dagster._core.storage.local_compute_log_manager import IO_TYPE_EXTENSION, LocalComputeLogManager
from dagster._serdes import ConfigurableClassData

from image_assets.supervision.following import SUPERVISOR_VARIABLE


class RunLogs(LocalComputeLogManager):
    """Dagster's logs on disk, without helper processes; its setting `base_dir` is the folder above `storage`.

    Without a supervisor, as in a container of its own, a run's output is copied as Dagster does it: there it is read.
    """

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> RunLogs:
        """As dagster.yaml says."""
        return cls(str(Path(config_value["base_dir"]) / "storage"), config_value.get("polling_timeout"), inst_data)

    @contextmanager
    def capture_logs(self, log_key: Sequence[str]) -> Generator[CapturedLogContext, None, None]:
        """Write what this process and its children print to the files of `log_key` while the block runs."""
        if SUPERVISOR_VARIABLE not in os.environ:
            with super().capture_logs(log_key) as context:
                yield context
            return
        out, err = (
            self.get_captured_local_path(log_key, IO_TYPE_EXTENSION[kind])
            for kind in (ComputeIOType.STDOUT, ComputeIOType.STDERR)
        )
        Path(out).parent.mkdir(parents=True, exist_ok=True)
        with redirect_to_file(sys.stdout, out), redirect_to_file(sys.stderr, err):
            yield CapturedLogContext(log_key)
        Path(self.get_captured_local_path(log_key, "complete")).touch()
