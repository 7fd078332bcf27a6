"""A written synthetic data set: its description, its datasheet, and that a changed or missing file is found at loading."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest
from toy_pairs import write_config, write_sample, write_scene

from StructDiffCore.cal.cases import pairs_of
from StructDiffCore.cli.main import main
from StructDiffCore.domain import StructDiffError
from StructDiffCore.io.synthetic_dataset import DatasetSample, is_dataset, read_dataset, write_dataset

HEADINGS = ("Motivation", "Composition", "Collection process", "Preprocessing", "Uses", "Distribution", "Maintenance")


def described(folder: Path, number: int, **more: object) -> DatasetSample:
    """A sample with what a synthesis tells of it."""
    place = folder / f"m{number}--ct--abc" / "sample-000"
    write_sample(place, number, template="0123456789abcdef")
    told = json.loads((place / "manifest.json").read_text()) | {
        "seed": 40 + number,
        "weights_sha256": "f00d",
        "software": {"structdiff": "1.2"},
        "scheme": "toy",
        "settings": {"steps": 10, "sampler": "ddim"},
        "topology": {"verdict": "pass", "labels": {"2": {"name": "block"}, "5": {"name": "rod"}}},
        "quality": {"verdict": "look" if number else "pass", "off": ["rod"] if number else []},
        "confidence": {"method": "head", "median_hu": {"rod": 20.0 + number}, "worth": "worth knowing."},
        **more,
    }
    (place / "manifest.json").write_text(json.dumps(told))
    return DatasetSample(place, f"m{number}", "ct")


@pytest.fixture
def a_set(tmp_path: Path) -> Path:
    place = tmp_path / "hearts"
    write_dataset(place, [described(place, number) for number in range(3)], failed=1)
    return place


def test_a_description_tells_what_made_the_samples(a_set: Path) -> None:
    found = read_dataset(a_set)
    assert found.version == 1
    assert found.told["counts"] == {"samples": 3, "masks": 3, "templates": 1, "failed_jobs": 1}
    assert found.told["generators_sha256"] == ["f00d"]
    assert found.told["templates"] == [{"name": "ct", "id": "0123456789abcdef"}]
    assert found.told["seeds"] == [40, 41, 42]
    assert found.told["labels"] == {"2": "block", "5": "rod"}
    file = a_set / "m0--ct--abc/sample-000/image.nii.gz"
    assert found.told["samples"][0]["sha256"]["image.nii.gz"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert str(a_set) not in (a_set / "dataset.json").read_text() + (a_set / "DATASHEET.md").read_text()


def test_the_datasheet_has_the_usual_headings_and_the_verdicts(a_set: Path) -> None:
    sheet = (a_set / "DATASHEET.md").read_text()
    headings = [line.removeprefix("## ") for line in sheet.splitlines() if line.startswith("## ")]
    assert [wanted for wanted, found in zip(HEADINGS, headings, strict=True) if found.startswith(wanted)] == list(HEADINGS)
    assert "against their scheme: pass 3." in sheet
    assert "look 2, pass 1 (off: rod in 2)" in sheet
    assert "label: rod 21." in sheet
    assert "worth knowing." in sheet
    assert "1 jobs of the plan failed" in sheet


def test_the_version_rises_with_the_content_and_only_then(a_set: Path) -> None:
    samples = [DatasetSample(a_set / f"m{number}--ct--abc/sample-000", f"m{number}", "ct") for number in range(3)]
    write_dataset(a_set, samples)
    assert read_dataset(a_set).version == 1
    write_dataset(a_set, [*samples, described(a_set, 3)])
    assert read_dataset(a_set).version == 2


def test_pretraining_reads_its_samples_by_folder_or_description(a_set: Path) -> None:
    for source in (a_set, a_set / "dataset.json"):
        pairs = pairs_of(source)
        assert [pair.id for pair in pairs] == [f"m{number}--ct--abc/sample-000" for number in range(3)]
        assert pairs[1].parents == ("0123456789abcdef", "m1")
        assert pairs[1].confidence is not None


def flip_a_byte(place: Path) -> None:
    path = place / "m1--ct--abc/sample-000/mask.nii.gz"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def lose_a_file(place: Path) -> None:
    (place / "m1--ct--abc/sample-000/mask.nii.gz").unlink()


def lose_a_sample(place: Path) -> None:
    shutil.rmtree(place / "m2--ct--abc")


def another_format(place: Path) -> None:
    told = json.loads((place / "dataset.json").read_text())
    (place / "dataset.json").write_text(json.dumps(told | {"format": 99}))


def a_way_out(place: Path) -> None:
    told = json.loads((place / "dataset.json").read_text())
    told["samples"][0]["folder"] = "../elsewhere"
    (place / "dataset.json").write_text(json.dumps(told))


@pytest.mark.parametrize(
    ("spoil", "fact"),
    [
        (flip_a_byte, "mask.nii.gz is not the file that dataset.json describes"),
        (lose_a_file, "lacks m1--ct--abc/sample-000/mask.nii.gz"),
        (lose_a_sample, "lacks m2--ct--abc/sample-000/"),
        (another_format, "format is 99"),
        (a_way_out, "leaves its folder"),
    ],
)
def test_a_data_set_that_is_not_what_it_says_is_refused_in_one_line(
    a_set: Path, tmp_path: Path, spoil, fact: str, capsys: pytest.CaptureFixture
) -> None:
    spoil(a_set)
    with pytest.raises(StructDiffError, match=fact):
        read_dataset(a_set)
    write_scene(tmp_path)
    config = write_config(tmp_path, synthetic={"sources": ["hearts"], "steps": 1})
    assert main(["pretrain", str(config), "--device", "cpu", "--out", str(tmp_path / "run")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert fact in line


def test_another_tools_description_is_left_to_its_reader(tmp_path: Path) -> None:
    (tmp_path / "dataset.json").write_text(json.dumps({"channel_names": {"0": "CT"}, "labels": {}}))
    assert not is_dataset(tmp_path)
