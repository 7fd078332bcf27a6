"""Writes tiny weights, a mask and a template pair into a folder: python tinyFiles.py FOLDER (needs torch)."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT), str(ROOT / "Testing" / "Core" / "cli")]


def main(folder):
    from cli_scene import GRID, body, scan_of

    from StructDiffCore.domain import CARDIAC, LabelMap, Volume
    from StructDiffCore.io.files import write_label_map, write_volume
    from StructDiffCore.models.network_settings import NetworkSettings
    from StructDiffCore.systems.structdiff import StructDiff, StructDiffSettings

    write_label_map(LabelMap(body(GRID, shift_mm=1.5), GRID, CARDIAC), folder / "mask.seg.nrrd")
    write_label_map(LabelMap(body(GRID), GRID, CARDIAC), folder / "labels.seg.nrrd")
    write_volume(Volume(scan_of(body(GRID)), GRID), folder / "ct.nrrd")
    small = NetworkSettings(channels=(16, 16), blocks_per_level=(1, 1), condition_blocks=(0, 1), detail_channels=4)
    StructDiff(StructDiffSettings(small)).save_weights(folder / "tiny.safetensors")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
