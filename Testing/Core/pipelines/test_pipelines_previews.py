"""Previews: seldom, whole, and gone when the job is."""

import errno
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.image import imread

from StructDiffCore.domain import Geometry
from StructDiffCore.models.conditioning import ConditionMaps
from StructDiffCore.pictures.preview import PreviewView
from StructDiffCore.pipelines.previews import Previews, middle_of
from StructDiffCore.pipelines.result_folder import ResultFolder
from StructDiffCore.synthesis.running_estimate import PriorPlanes, RunningEstimate

SHAPE = (12, 10, 8)


def estimates(steps):
    prior = np.arange(np.prod(SHAPE), dtype=np.float32).reshape(SHAPE)
    zeros = np.zeros(SHAPE, np.float32)
    condition = ConditionMaps(prior, zeros, zeros, prior, prior, zeros, zeros.astype(np.int16), np.zeros((1, 15), np.float32))
    residual = torch.ones(16, 16, 8)
    return [RunningEstimate(index, steps, residual, PriorPlanes(condition), lambda r, p: p + 100 * r) for index in range(steps)]


def shown(place, steps, seconds_per_step):
    now = iter(np.arange(10_000) * seconds_per_step)
    time = {"now": 0.0}
    looks = Previews(place, PreviewView(Geometry(SHAPE), (6, 5, 4)), 0, clock=lambda: time["now"])
    events = []
    for estimate in estimates(steps):
        time["now"] = next(now) + seconds_per_step
        events.append(looks.event(estimate))
    return [event for event in events if event is not None]


def test_slow_steps_give_one_preview_per_quarter(tmp_path):
    told = shown(tmp_path, 20, seconds_per_step=10)
    assert [event.payload["step"] for event in told] == [5, 10, 15, 20]
    assert [Path(event.payload["path"]).is_file() for event in told] == [True] * 4
    assert {(e.event, e.payload["final"], e.payload["sample"], e.payload["steps"]) for e in told} == {("preview", False, 0, 20)}


def test_fast_steps_give_one_preview_in_two_seconds(tmp_path):
    assert [event.payload["step"] for event in shown(tmp_path, 10, seconds_per_step=0.5)] == [4, 8]
    assert shown(tmp_path, 10, seconds_per_step=0.1) == []


def test_a_full_disk_costs_the_preview_and_nothing_else(tmp_path, monkeypatch):
    def full(*given):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("StructDiffCore.io.atomic.os.replace", full)
    assert shown(tmp_path, 8, seconds_per_step=10) == []
    assert list(tmp_path.iterdir()) == []


def test_the_picture_is_the_estimate_in_hu(tmp_path):
    (first, *_) = shown(tmp_path, 4, seconds_per_step=10)
    picture = imread(first.payload["path"])
    assert picture.ndim == 2
    prior = np.arange(np.prod(SHAPE)).reshape(SHAPE)
    wanted = np.clip((prior[:, :, 4] + 100 + 160) / 800, 0, 1)
    assert picture.max() == pytest.approx(1.0)
    axial = picture[:, : round(192 * 12 / 10)]
    assert axial[0, 0] == pytest.approx(wanted[-1, -1], abs=0.01)
    assert axial[-1, -1] == pytest.approx(wanted[0, 0], abs=0.01)


def test_a_plane_of_the_estimate_is_that_plane_of_the_whole():
    estimate = estimates(1)[0]
    whole = np.arange(np.prod(SHAPE)).reshape(SHAPE) + 100
    for axis in range(3):
        np.testing.assert_array_equal(estimate.plane(axis, 3), np.take(whole, 3, axis))


def test_the_middle_is_that_of_the_labels():
    labels = np.zeros((20, 20, 20), int)
    labels[2:5, 10:13, 0:20] = 1
    assert middle_of(labels) == (3, 11, 9)
    assert middle_of(np.zeros((20, 10, 4), int)) == (10, 5, 2)


def test_the_previews_place_is_hidden_and_removed_at_the_end(tmp_path):
    folder = ResultFolder.checked(tmp_path / "out")
    with folder.opened(), folder.previews() as place:
        (place / "look.png").write_bytes(b"png")
        assert place.name.startswith(".preview")
        assert place.parent == folder.path
    assert list((tmp_path / "out").iterdir()) == []


def test_a_job_that_fails_removes_its_previews(tmp_path):
    folder = ResultFolder.checked(tmp_path / "out")

    def failing():
        with folder.opened(), folder.previews() as place:
            (place / "look.png").write_bytes(b"png")
            raise MemoryError

    with pytest.raises(MemoryError):
        failing()
    assert not (tmp_path / "out").exists()
