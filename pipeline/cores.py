"""Several pieces of work at once, each with its share of the processor's cores.

Left to itself torch spreads every operation over all cores. Recurrent layers and beam searches are made of small ones,
whose threads wait for each other more than they work: on two cores, pyannote's segmentation takes 2.9 times the
processor time of one thread and longer by the clock too, Whisper's search 1.5 times, its encoder 1.2 times.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import TypeVar

Piece = TypeVar("Piece")
Made = TypeVar("Made")


@cache
def usual_threads() -> int:
    """Threads of one torch operation where nothing else is said: the cores, or OMP_NUM_THREADS."""
    import torch

    return torch.get_num_threads()


@contextmanager
def torch_threads(n: int) -> Iterator[None]:
    """`n` threads an operation, in the whole process, until the end of the block."""
    import torch

    usual = usual_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(usual)


def workers(most: int) -> int:
    """How many pieces of work run at once where there is enough of it: one with a graphics card, else one a core, up
    to `most`."""
    import torch

    return 1 if torch.cuda.is_available() else max(1, min(most, usual_threads()))


def spread(work: Callable[[Piece], Made], pieces: Sequence[Piece], most: int) -> list[Made]:
    """`work` of every piece, in the pieces' order, on `workers(most)` threads.

    The first exception of `work` is raised; pieces not begun are dropped then.
    """
    at_once = max(1, min(workers(most), len(pieces)))
    with torch_threads(usual_threads() // at_once):
        if at_once == 1:
            return [work(piece) for piece in pieces]
        pool = ThreadPoolExecutor(at_once, thread_name_prefix="attune-core")
        try:
            return list(pool.map(work, pieces))
        finally:
            pool.shutdown(cancel_futures=True)
