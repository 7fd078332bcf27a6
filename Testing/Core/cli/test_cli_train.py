"""``structdiff train``: a run of three steps, its weights, and what it refuses."""

import json

import pytest

CONFIG = """
phases: [{steps: 3, crop: 32, batch: 1}]
pairs: {hearts: 2, pairs_per_group: 1, spacings_mm: [1.5]}
checkpoint_every: 2
precision: "32-true"
system: {network: {channels: [16, 16], blocks_per_level: [1, 1], condition_blocks: [0, 1], detail_channels: 4}}
"""


@pytest.fixture(scope="module")
def a_run(tmp_path_factory):
    from StructDiffCore.cli.main import main

    folder = tmp_path_factory.mktemp("train")
    (folder / "train.yaml").write_text(CONFIG)
    assert main(["train", str(folder / "train.yaml"), "--out", str(folder / "run")]) == 0
    return folder


@pytest.mark.slow
def test_a_run_leaves_weights_a_checkpoint_and_a_log(a_run):
    from StructDiffCore.systems.structdiff import StructDiff

    assert len((a_run / "run/log.jsonl").read_text().splitlines()) == 3
    assert StructDiff.load_weights(a_run / "run/weights.safetensors").settings.network.channels == (16, 16)
    assert (a_run / "run/last.safetensors").is_file()


@pytest.mark.slow
def test_a_folder_with_a_run_is_refused_unless_resumed(a_run, run):
    code, _, err = run(["train", a_run / "train.yaml", "--out", a_run / "run"])
    assert code == 2
    assert "holds a run already; add --resume" in err
    code, out, err = run(["train", a_run / "train.yaml", "--out", a_run / "run", "--resume", "--json"])
    assert code == 0, err
    assert json.loads(out)["weights"].endswith("weights.safetensors")


@pytest.mark.parametrize("minutes", ["0", "-3", "nan"])
def test_a_time_that_cannot_be_is_refused(tmp_path, run, minutes):
    (tmp_path / "train.yaml").write_text(CONFIG)
    code, _, err = run(["train", tmp_path / "train.yaml", "--out", tmp_path / "run", "--minutes", minutes])
    assert code == 2
    assert "minutes is" in err
    assert not (tmp_path / "run").exists()
