"""Work spread over cores: order, number at once, errors, and torch's threads put back."""

from __future__ import annotations

import threading
import time

import pytest

torch = pytest.importorskip("torch")

from pipeline import cores  # noqa: E402


@pytest.fixture(autouse=True)
def two_cores(monkeypatch):
    monkeypatch.setattr(cores, "usual_threads", lambda: 2)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_results_come_in_the_order_of_the_pieces_though_the_first_ends_last():
    second_done = threading.Event()

    def work(piece: int) -> int:
        if piece == 0:
            assert second_done.wait(10)
        else:
            second_done.set()
        return piece * 10

    assert cores.spread(work, range(4), 2) == [0, 10, 20, 30]


def test_each_piece_has_its_share_of_the_cores_and_all_are_given_back():
    assert cores.spread(lambda _: torch.get_num_threads(), range(3), 2) == [1, 1, 1]
    assert torch.get_num_threads() == 2
    assert cores.spread(lambda _: torch.get_num_threads(), range(1), 2) == [2]


@pytest.mark.parametrize(("most", "expected"), [(1, 1), (2, 2), (8, 2)])
def test_no_more_at_once_than_asked_for_or_than_there_are_cores(most, expected):
    running, highest, lock = 0, 0, threading.Lock()
    met = threading.Barrier(expected)

    def work(_: int) -> None:
        nonlocal running, highest
        with lock:
            running += 1
            highest = max(highest, running)
        met.wait(10)
        with lock:
            running -= 1

    cores.spread(work, range(4), most)
    assert highest == expected == cores.workers(most)


def test_with_a_graphics_card_pieces_follow_one_another(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert cores.spread(lambda _: threading.current_thread(), range(2), 2) == [threading.main_thread()] * 2


def test_an_error_ends_the_work_and_threads_are_given_back():
    begun = []

    def work(piece: int) -> None:
        begun.append(piece)
        if piece == 0:
            raise ValueError("piece 0")
        time.sleep(0.05)

    with pytest.raises(ValueError, match="piece 0"):
        cores.spread(work, range(1000), 2)
    assert len(begun) < 1000
    assert torch.get_num_threads() == 2


def test_nothing_to_do():
    assert cores.spread(lambda piece: piece, [], 2) == []
