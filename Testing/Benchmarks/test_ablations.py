"""The ablation rows change what they say and nothing else; the table's differences are paired."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import ablations
import numpy as np
import pytest
from ablation_scores import _numbers, table
from ablations import OTHER_PAIRS, ROWS, OneWay, SharedGroups, linked_hearts, maker_of, settings_of

from StructDiffCore.models.conditioning import ConditionMaps
from StructDiffCore.training.crops import TrainingCrop
from StructDiffCore.training.loader import GroupMaker
from StructDiffCore.training.pairs import PairStream

PHASE = settings_of("base", 4).phases[0]


def a_crop(wrong_hu: float = 0.0) -> TrainingCrop:
    grid = np.full((8, 8, 8), 100.0, np.float32)
    maps = ConditionMaps(
        grid, grid, grid, grid, grid, np.ones_like(grid), np.zeros(grid.shape, np.int16), np.ones((3, 15), np.float32)
    )
    weight = np.where(np.arange(8) < 2, 2.0, 0.5).astype(np.float32) * np.ones_like(grid)
    return TrainingCrop(maps, grid + wrong_hu, weight)


@pytest.mark.parametrize("row", [row for row in ROWS if row not in OTHER_PAIRS])
def test_rows_that_share_the_bases_pairs_draw_the_same_pairs(row: str) -> None:
    base, settings = settings_of("base", 40), settings_of(row, 40)
    for name in ("hearts", "spacings_mm", "real_share", "whole_heart", "label_jitter", "sharper", "template_dropped"):
        assert getattr(settings.pairs, name) == getattr(base.pairs, name)
    assert settings.system.noise == base.system.noise
    assert [(p.crop, p.batch, p.steps) for p in settings.phases] == [(p.crop, p.batch, p.steps) for p in base.phases]
    assert maker_of(row) is SharedGroups


def test_every_row_differs_from_the_base_or_goes_one_way() -> None:
    same = [row for row in ROWS if settings_of(row, 40) == settings_of("base", 40)]
    assert same == ["base", "one direction only"]


def test_rows_see_equal_voxels_give_or_take_a_fifth() -> None:
    seen = {row: sum(p.steps * p.batch * p.crop**3 for p in settings_of(row, 40).phases) for row in ROWS}
    assert all(0.8 < voxels / seen["base"] <= 1 for voxels in seen.values())


def test_one_way_pairs_never_swap_template_and_target(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def direction(self: PairStream, template: str, target: str, phase: object, rng: object) -> Iterator[str]:
        yield from [template + target] * phase.crops_per_direction  # type: ignore[attr-defined]

    monkeypatch.setattr(PairStream, "_sides", lambda self, rng: ("a", "b"))
    monkeypatch.setattr(PairStream, "_direction", direction)
    both, one = (list(kind(None, None).crops(PHASE, None)) for kind in (PairStream, OneWay))  # type: ignore[arg-type, call-arg]
    assert len(both) == len(one)
    assert (set(both), set(one)) == ({"ab", "ba"}, {"ab"})


def test_shared_groups_are_made_once_and_withhold_what_the_row_withholds(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    made: list[int] = []
    monkeypatch.setattr(ablations, "_made", {})
    monkeypatch.setattr(GroupMaker, "__call__", lambda self, phase, number: made.append(number) or [a_crop()])
    base, codeless, even = (SharedGroups(tmp_path, settings_of(row, 4))(0, 0)[0] for row in ("base", "no codes", "thin weight 1"))
    assert made == [0]
    assert (base.condition.codes != 0).all()
    assert (codeless.condition.codes == 0).all()
    assert base.weight.min() < 1
    assert (even.weight == 1).all()


def test_linked_hearts_are_the_same_under_every_seed(tmp_path: Path) -> None:
    (tmp_path / "pool").mkdir()
    (tmp_path / "pool/heart-2-00000.npz").write_bytes(b"heart")
    folder = linked_hearts(tmp_path / "pool", tmp_path / "links")
    linked_hearts(tmp_path / "pool", tmp_path / "links")
    assert {path.name for path in folder.iterdir()} == {"heart-2-00000.npz", "heart-3-00000.npz", "heart-4-00000.npz"}
    assert {path.read_bytes() for path in folder.iterdir()} == {b"heart"}


def test_errors_are_those_of_the_answer_thin_voxels_apart() -> None:
    crop = a_crop(wrong_hu=-10.0)
    answer = crop.target_hu.copy()
    answer[..., :2] += 40
    found = _numbers(answer, crop)
    assert (found["mean"], found["thin"], found["prior"]) == (10.0, 40.0, 10.0)


def test_differences_from_the_base_are_paired() -> None:
    pairs = [10.0, 200.0, 3000.0]
    row = {"steps": 4, "voxels": 1, "cpu seconds": 1.0}
    found = {
        name: row | {s: [{"mean": x + shift, "smooth": x, "detail": 1.0, "prior": x} for x in pairs] for s in ("hearts", "scans")}
        for name, shift in (("base", 0.0), ("worse", 7.0))
    }
    last = table(found).splitlines()[-1]
    assert last.startswith("| worse | 4 | 1 |")
    assert last.count("+7.0 [+7.0, +7.0]") == 2
