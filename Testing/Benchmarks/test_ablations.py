"""The ablation rows change what they say and nothing else; the tables' differences are paired and know the seeds' spread."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import ablations
import numpy as np
import pytest
import torch
from ablation_scores import CALLS, DRAWS, _answers, beside_the_base, beside_the_prior, errors, numbers, seed_floor
from ablations import OTHER_PAIRS, ROWS, STEPS, OneWay, SharedGroups, enter, link_hearts, maker_of, merged, settings_of
from scipy import stats

from StructDiffCore.models.conditioning import ConditionMaps
from StructDiffCore.systems.structdiff import StructDiff
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
    assert maker_of(row, STEPS) is SharedGroups
    assert maker_of(row, STEPS + 1) is GroupMaker


def test_every_row_differs_from_the_base_or_goes_one_way() -> None:
    same = [row for row in ROWS if settings_of(row, 40) == settings_of("base", 40)]
    assert same == ["base", "one direction only"]


def test_a_row_keeps_the_small_network_but_for_what_it_changes() -> None:
    base, row = settings_of("base", 40).system.network, settings_of("cross-attention over regions", 40).system.network
    assert row.region_conditioning != base.region_conditioning
    assert replace(row, region_conditioning=base.region_conditioning) == base


def test_changes_reach_any_depth_and_leave_the_base_alone() -> None:
    base = {"a": {"b": {"c": 1, "d": 2}}, "e": 3}
    assert merged(base, {"a": {"b": {"c": 9}}}) == {"a": {"b": {"c": 9, "d": 2}}, "e": 3}
    assert base == {"a": {"b": {"c": 1, "d": 2}}, "e": 3}


def test_rows_see_equal_voxels() -> None:
    seen = {row: sum(p.steps * p.batch * p.crop**3 for p in settings_of(row, STEPS).phases) for row in ROWS}
    assert all(voxels == pytest.approx(seen["base"], rel=0.01) for voxels in seen.values())


def test_one_way_pairs_never_swap_template_and_target(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def direction(self: PairStream, template: str, target: str, phase: object, rng: object) -> Iterator[str]:
        yield from [template + target] * phase.crops_per_direction  # type: ignore[attr-defined]

    monkeypatch.setattr(PairStream, "_sides", lambda self, rng: ("a", "b"))
    monkeypatch.setattr(PairStream, "_direction", direction)
    both, one = (list(kind(None, None).crops(PHASE, None)) for kind in (PairStream, OneWay))  # type: ignore[arg-type]
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
    (tmp_path / "heart-2-00000.npz").write_bytes(b"heart")
    link_hearts(tmp_path)
    link_hearts(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {f"heart-{seed}-00000.npz" for seed in (2, 3, 4, 5)}
    assert {path.read_bytes() for path in tmp_path.iterdir()} == {b"heart"}


def test_errors_are_those_of_each_answer_thin_voxels_apart() -> None:
    crop = a_crop(wrong_hu=-10.0)
    answer = crop.target_hu.copy()
    answer[..., :2] += 40
    found = numbers({"sample": answer}, crop)
    assert (found["sample absolute"], found["sample thin"], found["prior"]) == (10.0, 40.0**2, 10.0**2)
    assert found["sample"] == 40.0**2 / 4  # a quarter of the voxels is off by 40


def test_an_untrained_network_expects_nothing_and_samples_less_than_the_start_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its answer F is 0, so the clean estimate is c_skip x: next to nothing from noise alone."""
    torch.manual_seed(0)
    calls: list[float] = []
    system = StructDiff(settings_of("base", 4).system)
    made = system.denoiser
    monkeypatch.setattr(
        system, "denoiser", lambda features: lambda x, level: calls.append(level.sigma) or made(features)(x, level)
    )
    answers = _answers(system, [a_crop(), a_crop()], 0)
    assert len(calls) == CALLS + DRAWS
    assert np.abs(answers["mean"][1] - 100).max() < 30
    assert np.abs(answers["sample"][0] - answers["sample"][1]).max() > 1


def rows_of(**shifts: float) -> dict[str, dict[str, Any]]:
    """Rows whose errors of three pairs are shifted; squared they are the same for every pair."""
    return {
        name.replace("_", ", "): {"steps": 4, "cpu seconds": 1.0}
        | {
            source: [
                {"prior": 100.0**2, "prior absolute": x, "mean absolute": x + shift, "sample absolute": x + shift}
                | dict.fromkeys(("mean", "mean thin", "sample"), (100 + shift) ** 2)
                for x in (10.0, 200.0, 3000.0)
            ]
            for source in ("hearts", "scans")
        }
        for name, shift in shifts.items()
    }


def test_differences_from_the_prior_are_paired() -> None:
    lines = beside_the_prior(rows_of(base=-7.0)).splitlines()
    assert lines[2].startswith("| painted prior alone |")
    assert lines[3].count("(-7.0 [-7.0, -7.0])") == 8


def test_only_differences_beyond_the_bases_seeds_are_bold() -> None:
    lines = beside_the_base(rows_of(base=0.0, base_2=2.0, base_3=1.0, near=3.0, far=30.0)).splitlines()
    near, far = lines[-2], lines[-1]
    assert near.count("+2.0 [+2.0, +2.0]") == 5
    assert "**" not in near
    assert far.count("**+29.0 [+29.0, +29.0]**") == 5


def test_squared_errors_are_pooled_before_the_root_is_taken() -> None:
    row = {"hearts": [{"sample": 0.0}, {"sample": 200.0}, {}]}
    assert errors(row, "hearts", "sample").mean == 10.0


def test_the_seeds_floor_is_students_prediction_interval() -> None:
    assert seed_floor([1.0, 2.0, 3.0]) == pytest.approx(stats.t.ppf(0.975, 2) * np.sqrt(4 / 3))
    assert seed_floor([1.0]) == np.inf


def test_entered_rows_and_given_weights_are_not_trained(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    trained: list[str] = []
    monkeypatch.setattr(ablations, "train", lambda row, folder, arguments: trained.append(row))
    measured = {source: rows_of(base=-1.0)["base"][source] for source in ("hearts", "scans")}
    monkeypatch.setattr(ablations, "scores", lambda system, validation, nulled: measured)
    monkeypatch.setattr(StructDiff, "load_weights", lambda path: None)
    arguments = argparse.Namespace(out=tmp_path, steps=40, weights=None)
    for _ in range(2):
        enter("base", "base", None, arguments)  # type: ignore[arg-type]
    arguments.weights = tmp_path / "weights.safetensors"
    enter("base", "weights", None, arguments)  # type: ignore[arg-type]
    assert trained == ["base"]
    found = json.loads((tmp_path / "ablations.json").read_text())
    assert (found["base"]["hearts"][0]["mean"], found["weights"]["steps"]) == (99.0**2, 0)
