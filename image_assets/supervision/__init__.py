"""Dagster's processes as children of our command: they start, restart and end with it.

`following` is what every process that runs our code does, `tenure` who may supervise a home, `children` how a
program is started and stopped, `dagster_processes` which ones run and in which order, `active_runs` what becomes of
the runs, `dead_runs` which of them died by themselves, `stop_signals` what makes the command stop. Linux only. Does not
belong here: what the commands print.
"""

from image_assets.supervision.active_runs import ORPHANED_TAG, STOPPED_TAG, fail_orphaned_runs
from image_assets.supervision.children import ProgramEnded
from image_assets.supervision.dagster_processes import DagsterProcesses, run_dagster
from image_assets.supervision.following import follow_supervisor
from image_assets.supervision.stop_signals import exit_on_stop_signals
from image_assets.supervision.tenure import SupervisedElsewhere, Supervision, acquire_supervision

__all__ = [
    "ORPHANED_TAG",
    "STOPPED_TAG",
    "DagsterProcesses",
    "ProgramEnded",
    "SupervisedElsewhere",
    "Supervision",
    "acquire_supervision",
    "exit_on_stop_signals",
    "fail_orphaned_runs",
    "follow_supervisor",
    "run_dagster",
]
