"""Holding numpy's matrix products to the calling thread.

The products here are small: threads over pictures fill the cores, and BLAS threads on top of them only wait for each
other. On two busy cores a fingerprint took 50 to 100 ms with BLAS threads and 7 to 9 ms without.
"""

from __future__ import annotations

from functools import cache

from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]


@cache
def hold_blas_to_one_thread() -> None:
    """From now on BLAS runs on one thread in this process: nothing else in the pipeline gains by more.

    Never lifted again: setting and resetting it around each product was measured as slow as not setting it.
    """
    ThreadpoolController().limit(limits=1, user_api="blas")
