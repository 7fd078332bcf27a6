"""Work: every item once, whole or absent; a stop, a kill and a second process repeat nothing and lose nothing."""

import json

import pytest

from StructDiffCore.evaluation.downstream.work import DONE, Clock, Item, TimeIsUp, Workshop, work


class Log:
    """Items that write their name and note that they were made."""

    def __init__(self):
        self.made = []

    def item(self, name, needs=(), fails_at="", in_place=False):
        def make(place, clock):
            self.made.append(name)
            (place / "half").write_text("half")
            if name == fails_at:
                raise KeyboardInterrupt
            (place / "whole").write_text(name)

        return Item("test", name, make, tuple(needs), in_place)


def test_items_are_made_in_order_and_wait_for_what_they_need(tmp_path):
    log = Log()
    items = [log.item("b", needs=["a"]), log.item("a"), log.item("folder/c", needs=["b"])]
    progress = list(work(Workshop(tmp_path), lambda: items, Clock()))
    assert log.made == ["a", "b", "folder/c"]
    assert (progress[-1].done, progress[-1].total, progress[-1].seconds_left) == (3, 3, 0)
    assert (tmp_path / "folder" / "c" / "whole").read_text() == "folder/c"


def test_a_kill_leaves_nothing_half_made_and_the_next_start_repeats_nothing(tmp_path):
    first = Log()
    with pytest.raises(KeyboardInterrupt):
        list(work(Workshop(tmp_path), lambda: [first.item("a"), first.item("b", fails_at="b"), first.item("c")], Clock()))
    assert not (tmp_path / "b").exists()
    assert not list(tmp_path.glob("**/*.partial"))
    second = Log()
    list(work(Workshop(tmp_path), lambda: [second.item(name) for name in "abc"], Clock()))
    assert second.made == ["b", "c"]


def test_items_of_another_living_process_are_left_alone_and_claims_of_the_dead_are_taken_over(tmp_path):
    log, shop = Log(), Workshop(tmp_path)
    taken, free = log.item("taken"), log.item("free")
    with shop.claim(taken) as mine:
        assert mine
        other = work(Workshop(tmp_path), lambda: [taken, free], Clock.of_minutes(0.001))
        assert [made.item.name for made in other] == ["free"]
    (tmp_path / "claims").mkdir(exist_ok=True)
    (tmp_path / "claims" / "taken").write_text(json.dumps([2**22 + 1, 0.0]))
    list(work(Workshop(tmp_path), lambda: [taken, free], Clock()))
    assert log.made == ["free", "taken"]


def test_time_ends_the_work_between_items_and_keeps_the_seconds_of_a_stopped_one(tmp_path):
    log = Log()
    assert not list(work(Workshop(tmp_path), lambda: [log.item("a")], Clock.of_minutes(0)))
    assert not log.made

    def make(place, clock):
        if not (place / "checkpoint").exists():
            (place / "checkpoint").write_text("step 3")
            raise TimeIsUp
        (place / "weights").write_text((place / "checkpoint").read_text())

    long = Item("training", "long", make, in_place=True)
    assert not list(work(Workshop(tmp_path), lambda: [long], Clock()))
    assert not (tmp_path / "long" / DONE).exists()
    assert [made.item.name for made in work(Workshop(tmp_path), lambda: [long], Clock())] == ["long"]
    assert (tmp_path / "long" / "weights").read_text() == "step 3"
