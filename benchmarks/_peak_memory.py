"""The most memory that this process has held, for all benchmarks that report it."""

from pathlib import Path


def peak_mib() -> float:
    """Peak resident memory of this process so far, in MiB.

    Not `getrusage`: a process begins there with the peak of the one that started it.
    """
    status = Path("/proc/self/status").read_text()
    (line,) = [line for line in status.splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) / 2**10
