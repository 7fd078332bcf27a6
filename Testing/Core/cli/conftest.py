"""Fixtures of the command line's tests: good inputs on disk, and the command run in this process."""

import pytest
from cli_scene import GRID, Scene, body, scan_of

from StructDiffCore.cli.main import main
from StructDiffCore.domain import CARDIAC, LabelMap, Volume
from StructDiffCore.io.files import write_label_map, write_volume


@pytest.fixture(scope="session")
def scene(tmp_path_factory):
    from StructDiffCore.models.network_settings import NetworkSettings
    from StructDiffCore.systems.structdiff import StructDiff, StructDiffSettings

    folder = tmp_path_factory.mktemp("scene")
    scene = Scene(folder, folder / "mask.nii.gz", folder / "ct.nii.gz", folder / "labels.nii.gz", folder / "w.safetensors")
    labels = body(GRID)
    write_label_map(LabelMap(body(GRID, shift_mm=1.5), GRID, CARDIAC), scene.mask)
    write_label_map(LabelMap(labels, GRID, CARDIAC), scene.labels)
    write_volume(Volume(scan_of(labels), GRID), scene.image)
    small = NetworkSettings(channels=(16, 16), blocks_per_level=(1, 1), condition_blocks=(0, 1), detail_channels=4)
    StructDiff(StructDiffSettings(small)).save_weights(scene.weights)
    return scene


@pytest.fixture
def run(capsys):
    """Run a command line here; exit code, stdout and stderr."""

    def _run(arguments):
        capsys.readouterr()
        code = main([str(part) for part in arguments])
        told = capsys.readouterr()
        return code, told.out, told.err

    return _run
