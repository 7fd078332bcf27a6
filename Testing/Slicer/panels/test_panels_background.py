"""Background: work in threads, ends told where they are asked for, and a close that leaves no thread behind."""

import threading
import time

import pytest


@pytest.fixture
def background(desktop):
    from StructDiffLib.background import Background

    return Background()


def test_results_and_errors_are_told_on_the_thread_that_polls(background, wait):
    told = []
    background.submit(threading.get_ident, lambda *end: told.append((threading.get_ident(), *end)))
    background.submit(lambda: 1 // 0, lambda *end: told.append((threading.get_ident(), *end)))
    wait(lambda: background.poll() or not background.busy)
    here = threading.get_ident()
    assert [one[0] for one in told] == [here, here]
    worked = next(result for _where, result, error in told if error is None)
    assert worked != here
    assert [type(error) for _where, _result, error in told if error is not None] == [ZeroDivisionError]


def test_closing_waits_for_the_work_under_way_and_tells_nobody(background):
    ended, told = [], []
    background.submit(lambda: time.sleep(0.3) or ended.append("work"), lambda *end: told.append(end))
    assert background.busy
    background.close()
    assert ended == ["work"]
    background.poll()
    assert told == []


def test_closing_gives_up_on_work_that_does_not_end(background, monkeypatch):
    monkeypatch.setattr("StructDiffLib.background.PATIENCE_AT_CLOSE_S", 0.1)
    free, ended = threading.Event(), []
    for _ in range(2):
        background.submit(lambda: free.wait() and ended.append("work"), lambda *end: None)
    background.close()
    assert ended == []
    free.set()
