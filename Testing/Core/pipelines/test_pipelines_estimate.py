"""What a run will take: from sizes and a measured rate, without torch."""

import subprocess
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from StructDiffCore.config.settings import SynthesisSettings
from StructDiffCore.domain import StructDiffError
from StructDiffCore.pipelines.estimate import estimate_run, in_words, store_machine, stored_machine
from StructDiffCore.pipelines.machine import measured_rate
from StructDiffCore.synthesis.memory import PROGRAM_BYTES
from StructDiffCore.synthesis.ssv import spread_of
from StructDiffCore.synthesis.ssv_calls import extra_calls

RATE = {
    "precision": "bfloat16",
    "call_s_per_mvoxel": 0.8,
    "encode_s_per_mvoxel": 0.3,
    "feature_bytes_per_voxel": 32.0,
    "host_slowness": 1.0,
}
MACHINE = {"device": "cpu", "free_bytes": 8 * 2**30, "rate": RATE}
CUBE = (128, 128, 128)


def test_the_estimate_needs_no_torch():
    code = "import sys; import StructDiffCore.pipelines.estimate; sys.exit('torch' in sys.modules or 'psutil' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_ten_calls_of_two_megavoxels_dominate_the_time():
    told = estimate_run(CUBE, CUBE, "standard", {"steps": 110}, MACHINE).seconds
    shorter = estimate_run(CUBE, CUBE, "standard", {"steps": 10}, MACHINE).seconds
    assert told - shorter == pytest.approx(100 * 2.097152 * 0.8)


def test_a_slow_host_slows_all_but_the_network():
    slow = {"rate": {**RATE, "host_slowness": 3.0}}
    base = estimate_run(CUBE, CUBE, "quick", machine=MACHINE).seconds
    network = 2.097152 * (6 * 0.8 + 0.3)
    assert estimate_run(CUBE, CUBE, "quick", machine=slow).seconds == pytest.approx(3 * (base - network) + network)


def test_presets_are_ordered_by_their_cost():
    seconds = [estimate_run(CUBE, CUBE, preset, machine=MACHINE).seconds for preset in ("quick", "standard", "best")]
    assert seconds == sorted(seconds)
    assert seconds[2] > 4 * seconds[1]


@settings(max_examples=25, derandomize=True, deadline=None)
@given(st.tuples(*[st.integers(8, 400)] * 3), st.integers(0, 2), st.integers(1, 100))
def test_a_larger_volume_never_takes_less(shape, axis, more):
    larger = tuple(n + more * (a == axis) for a, n in enumerate(shape))
    first, second = (estimate_run(size, CUBE, "quick", machine=MACHINE) for size in (shape, larger))
    assert second.memory_bytes >= first.memory_bytes >= PROGRAM_BYTES
    assert second.seconds > 0.6 * first.seconds


def test_without_a_rate_only_memory_is_told():
    told = estimate_run(CUBE, CUBE, "quick")
    assert (told.seconds, told.fits) == (None, None)
    assert str(told).endswith("GiB")


def test_what_is_free_decides_whether_it_fits():
    assert estimate_run(CUBE, CUBE, machine=MACHINE).fits is True
    assert estimate_run((1200, 1200, 1200), CUBE, machine=MACHINE).fits is False


def test_features_beyond_the_cache_are_made_at_every_step():
    small = {**RATE, "feature_bytes_per_voxel": 400.0}
    slow, quick = (estimate_run(CUBE, CUBE, machine={"rate": rate}).seconds for rate in (small, RATE))
    assert slow - quick == pytest.approx(9 * 2.097152 * (0.3 + 0.2))


def test_settings_out_of_range_are_refused():
    with pytest.raises(StructDiffError, match="steps is 0"):
        estimate_run(CUBE, CUBE, settings={"steps": 0})


@pytest.mark.parametrize("method", ["trajectory", "full", "off"])
@pytest.mark.parametrize("steps", [1, 6, 10, 20, 400])
def test_the_calls_told_are_the_calls_made(method, steps):
    chosen = SynthesisSettings(steps=steps, ssv=method)
    assert spread_of(chosen, 0).extra_calls == extra_calls(chosen)


@pytest.mark.parametrize(
    ("seconds", "words"), [(1, "5 s"), (23.8, "25 s"), (89, "90 s"), (240, "4 min"), (3700, "1 h 02 min"), (7100, "1 h 58 min")]
)
def test_seconds_are_told_in_round_words(seconds, words):
    assert in_words(seconds) == words


def test_the_machine_is_kept_and_read_again(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "größe"))
    monkeypatch.setattr(sys, "platform", "linux")
    assert stored_machine() is None
    assert store_machine(MACHINE).is_file()
    assert stored_machine() == MACHINE
    for damaged in ("{", "[]", '{"rate": {"precision": "float32"}}'):
        store_machine(MACHINE).write_text(damaged, encoding="utf-8")
        assert stored_machine() is None


def test_a_rate_is_measured_on_this_machine():
    from StructDiffCore.models.network_settings import NetworkSettings
    from StructDiffCore.systems.structdiff import StructDiff, StructDiffSettings

    small = NetworkSettings(channels=(16, 16), blocks_per_level=(1, 1), condition_blocks=(0, 1), detail_channels=4)
    rate = measured_rate(StructDiff(StructDiffSettings(small)), torch.device("cpu"))
    assert rate["precision"] in ("float32", "bfloat16")
    assert (
        min(rate[name] for name in ("call_s_per_mvoxel", "encode_s_per_mvoxel", "feature_bytes_per_voxel", "host_slowness")) > 0
    )
