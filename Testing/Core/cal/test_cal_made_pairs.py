"""Pairs made on the fly: which ones a crop may come from, what lies on disk, and what a plan orders."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from toy_pairs import SCHEME, write_sample

from StructDiffCore.cal.cases import pairs_of
from StructDiffCore.cal.crops import CropStream
from StructDiffCore.cal.made_pairs import BESIDE, FAILED, FIRST, MadePairs, pair_name, size_of
from StructDiffCore.cal.pair_plan import PairPlan, is_plan
from StructDiffCore.cal.pair_record import RECORD, PairRecord
from StructDiffCore.cal.prepared import prepared_as
from StructDiffCore.cal.settings import CacheSettings, PretrainSettings, StageSettings
from StructDiffCore.config.resources import resources_folder
from StructDiffCore.domain import StructDiffError

SETTINGS = PretrainSettings(synthetic=StageSettings(("plan.yaml",), 40), crop=16, batch=2, spacing_mm=2.0, precision="32-true")


class ToyWorker:
    """Makes pairs at once, in this process; fails where it is told to."""

    def __init__(self, folder: Path, fails_at: int | None = None) -> None:
        self.folder, self.fails_at, self.orders = folder, fails_at, []
        self._waiting: list[int] = []

    def ask(self, number: int) -> None:
        self.orders.append(number)
        self._waiting.append(number)

    def listen(self, seconds: float) -> None:
        number = self._waiting.pop(0)
        if number == self.fails_at:
            raise StructDiffError("no more", "give more")
        samples = self.folder.parent / "samples" / str(number)
        write_sample(samples, number)
        case = prepared_as(pair_name(number), pairs_of(samples)[0], self.folder, SETTINGS, SCHEME, None)
        PairRecord(self.folder).append(number, {"bytes": size_of(case.folder), "seconds": 2.0, "quality": "pass", **case.note})

    def close(self) -> None:
        self._waiting.clear()


def toy_pairs_made(folder: Path, cache: CacheSettings, fails_at: int | None = None) -> tuple[MadePairs, ToyWorker]:
    (folder / "made").mkdir(exist_ok=True, parents=True)
    worker = ToyWorker(folder / "made", fails_at)
    return MadePairs(folder / "made", cache, "me", frozenset(), lambda: worker), worker


def crops_of(made: MadePairs, steps: range) -> list[tuple[int | None, np.ndarray]]:
    """(pair, image) of every crop of the steps, waited for as a run waits."""
    stream = CropStream("pre-training", (), SETTINGS, 40, (2,), False, made)
    found = []
    for step in steps:
        list(made.waited(stream.samples(step), 79, stream.made_pair))
        found += [(stream.made_pair(sample), stream.crop(sample)[0]) for sample in stream.samples(step)]
    return found


def on_disk(made: MadePairs) -> list[int]:
    return sorted(int(path.name[-6:]) for path in made.folder.glob("pair-*"))


def test_the_cache_stays_within_its_pairs_and_each_pair_is_used_about_as_often(tmp_path: Path) -> None:
    made, worker = toy_pairs_made(tmp_path, CacheSettings(pairs=8, uses=5))
    seen: list[int | None] = []
    for step in range(40):
        seen += [pair for pair, _ in crops_of(made, range(step, step + 1))]
        assert len(on_disk(made)) <= 8
        assert set(made.window(2 * step)) <= set(on_disk(made))
    assert worker.orders == list(range(FIRST + 79 // 5))
    uses = Counter(seen)
    assert np.mean([uses[pair] for pair in range(6, 12)]) == pytest.approx(5, abs=2)
    assert made.seconds_left(79) == 0


def test_a_run_that_starts_anew_anywhere_sees_the_same_crops(tmp_path: Path) -> None:
    cache = CacheSettings(pairs=7, uses=3)
    whole = crops_of(toy_pairs_made(tmp_path / "whole", cache)[0], range(20))
    crops_of(toy_pairs_made(tmp_path / "half", cache)[0], range(13))
    for path in (tmp_path / "half/samples").iterdir():
        path.rename(tmp_path / f"half/old-{path.name}")
    again = crops_of(toy_pairs_made(tmp_path / "half", cache)[0], range(10, 20))
    fresh = crops_of(toy_pairs_made(tmp_path / "fresh", cache)[0], range(10, 20))
    for found in (again, fresh):
        assert [pair for pair, _ in found] == [pair for pair, _ in whole[20:]]
        assert all(np.array_equal(one, other) for (_, one), (_, other) in zip(found, whole[20:], strict=True))


def test_gigabytes_narrow_the_window_and_the_disk_stays_within_them(tmp_path: Path) -> None:
    made, _ = toy_pairs_made(tmp_path, CacheSettings(pairs=20, uses=4))
    crops_of(made, range(10))
    size = max(size_of(path) for path in made.folder.glob("pair-*"))
    limit = 6.5 * size / 1e9
    narrow, _ = toy_pairs_made(tmp_path / "narrow", CacheSettings(pairs=20, gigabytes=limit, uses=4))
    for step in range(20):
        crops_of(narrow, range(step, step + 1))
        assert sum(size_of(path) for path in narrow.folder.glob("pair-*")) <= limit * 1e9
    assert 6 - BESIDE <= len(narrow.window(39)) <= 6


def test_a_cache_too_small_for_one_pair_is_refused(tmp_path: Path) -> None:
    made, _ = toy_pairs_made(tmp_path, CacheSettings(pairs=20, gigabytes=1e-6))
    with pytest.raises(StructDiffError, match="may hold 1e-06 GB, less than 3 pairs"):
        crops_of(made, range(1))


def test_the_workers_failure_reaches_every_process_of_the_run(tmp_path: Path) -> None:
    made, _ = toy_pairs_made(tmp_path, CacheSettings(pairs=8, uses=5), fails_at=5)
    follower, _ = toy_pairs_made(tmp_path, CacheSettings(pairs=8, uses=5))
    follower.leads = False
    with pytest.raises(StructDiffError, match="no more"):
        crops_of(made, range(40))
    with pytest.raises(StructDiffError, match="no more"):
        crops_of(follower, range(40))
    assert (made.folder / FAILED).is_file()


def test_a_pair_that_a_kill_left_without_its_line_is_made_again(tmp_path: Path) -> None:
    cache = CacheSettings(pairs=8, uses=5)
    made, _ = toy_pairs_made(tmp_path, cache)
    crops_of(made, range(1))
    lines = (made.folder / RECORD).read_text().splitlines()
    (made.folder / RECORD).write_text("\n".join(lines[:-1]) + "\n" + lines[-1][:20])
    for path in (tmp_path / "samples").iterdir():
        path.rename(tmp_path / f"old-{path.name}")
    again, worker = toy_pairs_made(tmp_path, cache)
    crops_of(again, range(1))
    assert worker.orders == [json.loads(lines[-1])["pair"], FIRST]
    assert sorted(again.record.read()) == list(range(len(lines)))


def a_plan(folder: Path, **changes: object) -> PairPlan:
    for number in range(3):
        (folder / "masks").mkdir(exist_ok=True)
        (folder / f"masks/m{number}.nii.gz").touch()
    for name in ("ct1", "ct2"):
        (folder / f"{name}.nrrd").touch()
    templates = [{"name": name, "image": f"{name}.nrrd", "mask": f"{name}.nrrd"} for name in ("ct1", "ct2")]
    content = {"masks": ["masks"], "templates": templates, **changes}
    (folder / "plan.yaml").write_text(json.dumps({name: value for name, value in content.items() if value is not None}))
    return PairPlan.read(folder / "plan.yaml")


def test_a_plan_orders_every_mask_with_every_template_again_and_again(tmp_path: Path) -> None:
    plan = a_plan(tmp_path)
    for turn in range(3):
        orders = [plan.order(6 * turn + place) for place in range(6)]
        assert len({(order.mask, order.template.name) for order in orders}) == 6
    assert len({plan.order(number).seed for number in range(50)}) == 50
    assert [plan.order(n) for n in range(9)] == [a_plan(tmp_path).order(n) for n in range(9)]
    assert [plan.order(n) for n in range(9)] != [a_plan(tmp_path, seed=1).order(n) for n in range(9)]


def test_references_ask_for_a_new_mask_each_time(tmp_path: Path) -> None:
    plan = a_plan(tmp_path, masks=None, references=["masks"])
    assert {plan.order(number).mask for number in range(5)} == {None}
    assert len({plan.order(number).mask_seed for number in range(50)}) == 50
    assert {plan.order(number).template.name for number in range(2)} == {"ct1", "ct2"}
    assert [path.name for path in plan.references] == ["m0.nii.gz", "m1.nii.gz", "m2.nii.gz"]


def test_the_example_plan_grows_masks_from_the_sample_heart() -> None:
    plan = PairPlan.read(resources_folder().parent / "Testing" / "Examples" / "pretrain-plan.yaml")
    assert plan.fresh
    assert [path.name for path in plan.references] == ["to_edit.seg.nrrd"]


def test_a_data_list_is_no_plan(tmp_path: Path) -> None:
    (tmp_path / "list.json").write_text('{"training": []}')
    a_plan(tmp_path)
    assert is_plan(tmp_path / "plan.yaml")
    assert not is_plan(tmp_path / "list.json")
    assert not is_plan(tmp_path / "masks")
