"""`run_logs` on S3. Apart from it, as this loads boto3. Does not belong here: what is the same on disk."""

from __future__ import annotations

from tempfile import gettempdir
from typing import Any

from dagster_aws.s3.compute_log_manager import S3ComputeLogManager

from image_assets.supervision.run_logs import RunLogs


class S3RunLogs(S3ComputeLogManager):
    """dagster-aws' logs on S3, with all its options, without helper processes while a log is written in `local_dir`."""

    def __init__(self, bucket: str, local_dir: str | None = None, **options: Any) -> None:
        super().__init__(bucket, local_dir, **options)
        self._local_manager = RunLogs(local_dir or gettempdir())
