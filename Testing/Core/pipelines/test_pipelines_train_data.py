"""``structdiff train --data``: a small folder in every layout becomes training scans, a bad one is named in one line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml
from scipy import ndimage

from StructDiffCore.cli.main import main
from StructDiffCore.domain import Geometry, LabelMap, LabelScheme, Volume
from StructDiffCore.io.files import write_label_map, write_volume

SIZE, STEP = 36, 1.5


def a_ct(seed: int = 0, size: int = SIZE, step: float = STEP) -> tuple[Volume, np.ndarray]:
    """A ball of blood in muscle in fat, lung beside; the mask is 1 in the wall and 2 in the blood."""
    rng = np.random.default_rng(seed)
    grid = Geometry((size,) * 3, (step,) * 3, (0.0, 0.0, 0.0))
    away = np.linalg.norm(np.indices(grid.shape).T * step - size * step / 2 - rng.uniform(-2, 2, 3), axis=-1).T
    hu = np.select([away < 11, away < 18, away < 26], [380.0, 90.0, -90.0], -830.0)
    labels = np.select([away < 11, away < 18], [2, 1], 0).astype(np.uint16)
    noise = ndimage.gaussian_filter(rng.normal(0, 40, grid.shape), 0.6)
    return Volume(ndimage.gaussian_filter(hu, 0.5) + noise, grid), labels


def write(image: Path, mask: Path, table: dict[int, int], seed: int, **grid: float) -> None:
    """Image and mask files; ``table``: value in the file of 1 (wall) and 2 (blood)."""
    volume, labels = a_ct(seed, **grid)  # type: ignore[arg-type]
    for path in (image, mask):
        path.parent.mkdir(parents=True, exist_ok=True)
    write_volume(volume, image)
    named = np.select([labels == 1, labels == 2], [table.get(1, 0), table.get(2, 0)], 0).astype(np.uint16)
    values = [v for v in table.values() if v]
    write_label_map(LabelMap(named, volume.geometry, LabelScheme.from_values(values)), mask)


def imagecas(folder: Path) -> None:
    for n in (1, 2, 3):
        write(folder / f"{n}.img.nii.gz", folder / f"{n}.label.nii.gz", {2: 1}, n)


def asoca(folder: Path) -> None:
    for n in (1, 2):
        write(folder / "Normal" / "CTCA" / f"Normal_{n}.nrrd", folder / "Normal" / "Annotations" / f"Normal_{n}.nrrd", {2: 1}, n)


def mmwhs(folder: Path) -> None:
    for n in (1, 2):
        name = folder / f"ct_train_100{n}"
        write(Path(f"{name}_image.nii.gz"), Path(f"{name}_label.nii.gz"), {1: 205, 2: 500}, n)


def msd(folder: Path) -> None:
    for n in (1, 2):
        write(folder / "imagesTr" / f"heart_{n}.nii.gz", folder / "labelsTr" / f"heart_{n}.nii.gz", {1: 1, 2: 2}, n)
    listed = [{"image": f"./imagesTr/heart_{n}.nii.gz", "label": f"./labelsTr/heart_{n}.nii.gz"} for n in (1, 2)]
    labels = {"0": "background", "1": "left atrium", "2": "tumour"}
    (folder / "dataset.json").write_text(json.dumps({"labels": labels, "training": listed}))


def toy_config(folder: Path, **pairs: float) -> Path:
    network = {"channels": [8, 8], "blocks_per_level": [1, 1], "condition_blocks": [1, 1], "slot_features": 4}
    content = {
        "system": {"network": {**network, "embedding_width": 8, "detail_channels": 4}},
        "phases": [{"steps": 2, "crop": 16, "batch": 1, "crops_per_direction": 1}],
        "pairs": {"real_share": 1.0, "scan_spacing_mm": STEP, "pairs_per_group": 1, **pairs},
        "precision": "32-true",
    }
    (folder / "train.yaml").write_text(yaml.safe_dump(content))
    return folder / "train.yaml"


def train(tmp_path: Path, *more: str, **pairs: float) -> int:
    return main(["train", str(toy_config(tmp_path, **pairs)), "--out", str(tmp_path / "run"), *more])


@pytest.mark.parametrize("layout", [imagecas, asoca, mmwhs, msd])
def test_a_small_folder_of_every_layout_trains(tmp_path: Path, layout: Callable[[Path], None]) -> None:
    layout(tmp_path / "data")
    assert train(tmp_path, "--data", str(tmp_path / "data")) == 0
    assert (tmp_path / "run" / "weights.safetensors").is_file()
    assert len(list((tmp_path / "run" / "aside").glob("*/card.json"))) == 1
    assert list((tmp_path / "run" / "scans").glob("*/card.json"))


def one_case(folder: Path) -> None:
    write(folder / "1.img.nii.gz", folder / "1.label.nii.gz", {2: 1}, 1)


def mismatched(folder: Path) -> None:
    imagecas(folder)
    write(folder / "other.nii.gz", folder / "2.label.nii.gz", {2: 1}, 2, size=30, step=2.0)


def without_masks(folder: Path) -> None:
    imagecas(folder)
    for mask in folder.glob("*.label.nii.gz"):
        mask.unlink()


def normalised(folder: Path) -> None:
    imagecas(folder)
    volume, _ = a_ct(2)
    scaled = (volume.voxels - volume.voxels.min()) / np.ptp(volume.voxels)
    import SimpleITK as sitk

    image = sitk.GetImageFromArray(scaled.T.astype(np.float32))
    image.CopyInformation(sitk.ReadImage(str(folder / "2.img.nii.gz")))
    sitk.WriteImage(image, str(folder / "plain.nii.gz"))
    (folder / "plain.nii.gz").replace(folder / "2.img.nii.gz")


@pytest.mark.parametrize(
    ("spoil", "fact"),
    [(one_case, "one case"), (mismatched, "2.label.nii.gz"), (without_masks, "no image with its mask"), (normalised, "[0, 1]")],
)
def test_a_bad_data_set_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], spoil: Callable[[Path], None], fact: str
) -> None:
    spoil(tmp_path / "data")
    assert train(tmp_path, "--data", str(tmp_path / "data")) == 2
    complaint = [line for line in capsys.readouterr().err.splitlines() if line.strip()]
    assert fact in complaint[-1]
    assert not (tmp_path / "run" / "last.safetensors").exists()


def test_mixed_spacings_are_brought_to_one(tmp_path: Path) -> None:
    imagecas(tmp_path / "data")
    write(tmp_path / "data" / "2.img.nii.gz", tmp_path / "data" / "2.label.nii.gz", {2: 1}, 2, size=66, step=1.0)
    assert train(tmp_path, "--data", str(tmp_path / "data")) == 0
    cards = [json.loads(path.read_text()) for path in (tmp_path / "run").glob("*/*/card.json")]
    assert {tuple(card["spacing_mm"]) for card in cards} == {(STEP,) * 3}


def test_data_without_a_share_of_real_pairs_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    imagecas(tmp_path / "data")
    assert train(tmp_path, "--data", str(tmp_path / "data"), real_share=0.0) == 2
    assert "real_share" in capsys.readouterr().err
