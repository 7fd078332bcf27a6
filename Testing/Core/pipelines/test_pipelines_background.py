"""Callbacks as events: order, results, errors, and no work behind a reader who left."""

import threading

import pytest

from StructDiffCore.config.messages import log, progress
from StructDiffCore.domain import StructDiffError
from StructDiffCore.pipelines.background import stream
from StructDiffCore.pipelines.remaining import RemainingTime


def drained(events):
    seen = []
    while True:
        try:
            seen.append(next(events))
        except StopIteration as stop:
            return seen, stop.value


def test_events_come_in_order_and_the_result_at_the_end():
    def work(emit):
        for done in range(3):
            emit(progress("sampling", done, 3))
        return "volume"

    seen, result = drained(stream(work))
    assert [event.payload["done"] for event in seen] == [0, 1, 2]
    assert result == "volume"


def test_an_error_reaches_the_reader_after_its_events():
    def work(emit):
        emit(log("before"))
        raise StructDiffError("no", "do", "device")

    events = stream(work)
    assert next(events).payload["message"] == "before"
    with pytest.raises(StructDiffError, match="no; do"):
        next(events)


def test_a_reader_who_leaves_stops_the_work():
    go_on, ended = threading.Event(), []

    def work(emit):
        emit(log("first"))
        go_on.wait(10)
        try:
            emit(log("second"))
        except StructDiffError as error:
            ended.append(error.category)
            raise

    events = stream(work)
    next(events)
    go_on.set()
    events.close()
    assert ended in (["cancelled"], [])  # [] only if "second" was emitted before the reader left
    assert not any(thread.name == "structdiff-work" for thread in threading.enumerate())


def test_the_time_left_is_the_median_time_per_call_times_the_calls_to_go():
    seconds = iter([0.0, 2.0, 4.0, 14.0, 16.0])
    left = RemainingTime(clock=lambda: next(seconds))
    assert [left.tick(done, 10) for done in (1, 2, 3, 4)] == [18.0, 16.0, 14.0, 12.0]


def test_before_the_first_call_no_time_left_is_told():
    assert RemainingTime().tick(0, 10) is None


def test_calls_done_before_are_not_counted():
    seconds = iter([0.0, 3.0])
    assert RemainingTime(done=7, clock=lambda: next(seconds)).tick(8, 10) == 6.0


def test_work_that_begins_anew_forgets_the_old_pace():
    seconds = iter([0.0, 1.0, 2.0, 7.0])
    left = RemainingTime(clock=lambda: next(seconds))
    assert [left.tick(done, 4) for done in (1, 2)] == [3.0, 2.0]
    assert left.tick(1, 4) == 15.0
