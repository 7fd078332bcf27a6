"""``structdiff synthesize-many`` and ``structdiff export``: resumable, unstoppable by one bad pair, honest about verdicts."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from StructDiffCore.cal.cases import pairs_of
from StructDiffCore.config.batch_plan import BatchPlan
from StructDiffCore.config.messages import Event
from StructDiffCore.config.resources import resources_folder
from StructDiffCore.domain import StructDiffError
from StructDiffCore.io.files import read_volume
from StructDiffCore.io.synthetic_dataset import read_dataset
from StructDiffCore.pipelines import synthesize_many
from StructDiffCore.pipelines.batch_job import batch_jobs


@pytest.fixture
def plan(scene, tmp_path):
    """A function that writes a plan for the scene's one pair; entries can be changed."""

    def _plan(**changed):
        content = {
            "masks": [str(scene.mask)],
            "templates": [{"name": "ct", "image": str(scene.image), "mask": str(scene.labels)}],
            "settings": {"model": str(scene.weights), "steps": 1, "ssv": "off", "sampler": "ddim"},
            **changed,
        }
        path = tmp_path / "plan.json"
        path.write_text(json.dumps(content))
        return path

    return _plan


def jobs_of(path, out, device="cpu"):
    return list(batch_jobs(BatchPlan.read(path), out, device))


def made_at_once():
    """The events of a synthesize job that takes no time."""
    yield Event("finished", {"samples": [{}]})


ALIGNED = []
"""Every alignment of a template that the finished batch has made."""


@pytest.fixture(scope="module")
def made(scene, tmp_path_factory):
    """One finished batch of two samples, made once for this module."""
    from StructDiffCore.cli.main import main

    folder = tmp_path_factory.mktemp("batch")
    content = {
        "masks": [str(scene.mask)],
        "templates": [{"name": "ct", "image": str(scene.image), "mask": str(scene.labels)}],
        "samples": 2,
        "settings": {"model": str(scene.weights), "steps": 1, "ssv": "off", "sampler": "ddim"},
    }
    (folder / "plan.json").write_text(json.dumps(content))
    real = synthesize_many.synthesize.prepared_for
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(synthesize_many.synthesize, "prepared_for", lambda *given: ALIGNED.append(given) or real(*given))
        assert main(["synthesize-many", str(folder / "plan.json"), "--out", str(folder / "out"), "--json"]) == 0
    return folder


def test_a_batch_makes_a_sample_per_job_and_keeps_its_table(made):
    table = json.loads((made / "out" / "plan.json").read_text())["jobs"]
    assert len(table) == len({row["seed"] for row in table}) == 2
    for row in table:
        assert (made / "out" / row["folder"] / "sample-000" / "manifest.json").is_file()


def test_volumes_of_one_pair_share_one_alignment(made):
    assert len(ALIGNED) == 1


def test_the_batch_makes_the_voxels_that_synthesize_makes(made, scene, run, tmp_path):
    row = json.loads((made / "out" / "plan.json").read_text())["jobs"][1]
    command = [*scene.command(tmp_path / "one"), "--ssv", "off", "--sampler", "ddim", "--seed", row["seed"], "--samples", "1"]
    assert run(command)[0] == 0
    single = read_volume(tmp_path / "one" / "sample-000" / "image.nii.gz").voxels
    np.testing.assert_array_equal(read_volume(made / "out" / row["folder"] / "sample-000" / "image.nii.gz").voxels, single)


def test_started_again_it_makes_only_what_is_missing(made, run):
    rows = json.loads((made / "out" / "plan.json").read_text())["jobs"]
    before = (made / "out" / rows[0]["folder"] / "sample-000" / "image.nii.gz").stat().st_mtime_ns
    shutil.rmtree(made / "out" / rows[1]["folder"])
    code, out, _ = run(["synthesize-many", made / "plan.json", "--out", made / "out", "--json"])
    told = json.loads(out)
    assert (code, len(told["samples"]), told["skipped"], told["failed"]) == (0, 1, 1, [])
    assert (made / "out" / rows[0]["folder"] / "sample-000" / "image.nii.gz").stat().st_mtime_ns == before


def test_a_finished_batch_is_a_described_data_set(made):
    found = read_dataset(made / "out")
    rows = json.loads((made / "out" / "plan.json").read_text())["jobs"]
    assert [(one["mask"], one["seed"]) for one in found.told["samples"]] == [(row["mask"], row["seed"]) for row in rows]
    assert found.told["templates"][0]["name"] == "ct"
    assert len(pairs_of(made / "out")) == 2
    assert "## Composition" in (made / "out" / "DATASHEET.md").read_text()


def test_a_bad_pair_is_tried_three_times_and_stops_nothing(scene, plan, run, tmp_path, monkeypatch):
    (tmp_path / "bad.nii.gz").write_bytes(b"no image")
    begun, real = [], synthesize_many.synthesize.run

    def quick(job, kept):
        """The bad mask goes the real way, the good one is made at once."""
        begun.append(job.inputs["mask"])
        return real(job, kept) if "bad" in begun[-1] else made_at_once()

    monkeypatch.setattr(synthesize_many.synthesize, "run", quick)
    path = plan(masks=[str(tmp_path / "bad.nii.gz"), str(scene.mask)])
    code, out, _ = run(["synthesize-many", path, "--out", tmp_path / "out", "--json"])
    told = json.loads(out)
    assert (code, len(told["samples"])) == (0, 1)
    assert begun.count(str(tmp_path / "bad.nii.gz")) == 3
    (line,) = (tmp_path / "out" / "failed.jsonl").read_text().splitlines()
    assert json.loads(line)["mask"] == "bad"
    assert json.loads(line)["category"] == "bad_input"
    assert json.loads(line)["attempts"] == 3


def test_a_job_that_fails_once_is_made_after_all(plan, run, tmp_path, monkeypatch):
    calls = []

    def flaky(job, kept):
        calls.append(job)
        if len(calls) == 1:
            raise RuntimeError("a hiccup")
        yield from made_at_once()

    monkeypatch.setattr(synthesize_many.synthesize, "run", flaky)
    code, out, _ = run(["synthesize-many", plan(), "--out", tmp_path / "out", "--json"])
    assert (code, len(json.loads(out)["samples"]), len(calls)) == (0, 1, 2)
    assert not (tmp_path / "out" / "failed.jsonl").exists()


def test_when_every_job_fails_the_command_fails_with_the_reason(plan, run, tmp_path):
    (tmp_path / "bad.nii.gz").write_bytes(b"no image")
    code, _, err = run(["synthesize-many", plan(masks=[str(tmp_path / "bad.nii.gz")]), "--out", tmp_path / "out"])
    assert code == 2
    assert "every job failed" in err


def test_the_cancel_file_stops_the_batch(plan, run, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "cancel").touch()
    code, _, err = run(["synthesize-many", plan(), "--out", tmp_path / "out"])
    assert code == 3
    assert "cancelled" in err


def test_a_folder_of_something_else_is_refused(plan, run, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("mine")
    code, _, err = run(["synthesize-many", plan(), "--out", tmp_path / "out"])
    assert code == 2
    assert "thesis.txt" in err


def test_a_jobs_id_follows_what_decides_its_voxels_and_nothing_else(scene, plan, tmp_path):
    (first,) = jobs_of(plan(), tmp_path)
    copy = tmp_path / "another_name.nii.gz"
    shutil.copyfile(scene.mask, copy)
    assert jobs_of(plan(masks=[str(copy)]), tmp_path)[0].id == first.id
    assert jobs_of(plan(), tmp_path, device="auto")[0].id == first.id
    settings = {"model": str(scene.weights), "steps": 2, "ssv": "off", "sampler": "ddim"}
    for changed in ({"seed": 1}, {"settings": settings}, {"masks": [str(scene.labels)]}):
        assert jobs_of(plan(**changed), tmp_path)[0].id != first.id


def test_patterns_tables_and_shipped_templates_are_understood(scene, plan, tmp_path):
    for name in ("mask-000", "mask-001"):
        (tmp_path / "new" / name).mkdir(parents=True)
        shutil.copyfile(scene.mask, tmp_path / "new" / name / "mask.nii.gz")
    both = ["digital-heart", {"name": "ct", "image": str(scene.image), "mask": str(scene.labels)}]
    path = plan(masks=["new/mask-*/mask.nii.gz"], templates=both)
    assert [(mask, template.name) for mask, _, template in BatchPlan.read(path).pairs] == [
        ("mask-000", "digital-heart"),
        ("mask-000", "ct"),
        ("mask-001", "digital-heart"),
        ("mask-001", "ct"),
    ]
    path = plan(masks=["new/mask-*/mask.nii.gz"], templates=both, pairs=[["mask-001", "ct"]])
    assert [(mask, template.name) for mask, _, template in BatchPlan.read(path).pairs] == [("mask-001", "ct")]


def test_yaml_plans_are_read(scene, tmp_path):
    path = tmp_path / "plan.yaml"
    path.write_text(f"masks: [{scene.mask}]\ntemplates: [digital-heart]\nsettings: {{preset: quick}}\n")
    assert BatchPlan.read(path).settings == {"preset": "quick"}


def test_the_example_plan_names_two_volumes_of_the_sample_data(tmp_path):
    example = resources_folder().parent / "Testing" / "Examples" / "synthesize-many.yaml"
    assert [(one.mask, one.template) for one in jobs_of(example, tmp_path)] == [("to_edit", "digital-heart")] * 2


@pytest.mark.parametrize(
    ("changed", "fact"),
    [
        ({"masks": []}, "names no masks"),
        ({"masks": ["nowhere/*.nii.gz"]}, "is not there"),
        ({"templates": None}, "names no templates"),
        ({"templates": [{"image": "x.nii.gz"}]}, "not understood"),
        ({"pairs": [["mask", "nobody"]]}, "not understood"),
        ({"samples": 0}, "asks for"),
        ({"samples": "many"}, "samples is 'many'"),
        ({"settings": [1]}, "settings are"),
        ({"colour": "blue"}, "unknown entries"),
    ],
)
def test_a_plan_that_makes_no_sense_is_refused_with_the_fact(plan, changed, fact):
    with pytest.raises(StructDiffError, match=fact):
        BatchPlan.read(plan(**changed))


def test_an_unknown_setting_or_template_is_refused_before_anything_runs(plan, run, tmp_path):
    for changed, fact in (({"settings": {"colour": 1}}, "unknown settings"), ({"templates": ["nobody"]}, "no shipped template")):
        code, _, err = run(["synthesize-many", plan(**changed), "--out", tmp_path / "out"])
        assert code == 2
        assert fact in err
        assert not (tmp_path / "out").exists()


def test_samples_are_exported_or_refused_by_their_verdicts(made, run, tmp_path):
    """The scene's weights are random: whatever the verdicts say decides, and a reason opens the door."""
    out = tmp_path / "data"
    manifests = [json.loads(path.read_text()) for path in (made / "out").rglob("sample-000/manifest.json")]
    passed = all(told["topology"]["verdict"] == told["quality"]["verdict"] == "pass" for told in manifests)
    code, _, err = run(["export", made / "out", "--format", "nnunet", "--out", out])
    assert code == (0 if passed else 2)
    if not passed:
        assert "did not pass" in err
        assert not out.exists()
        code, _, err = run(["export", made / "out", "--format", "nnunet", "--out", out, "--force", "random weights, a test"])
    assert code == 0, err
    assert json.loads((out / "dataset.json").read_text())["numTraining"] == 2


def test_export_tells_what_it_wrote(made, run, tmp_path):
    code, out, err = run(["export", made / "out", "--format", "nrrd", "--out", tmp_path / "x", "--force", "a test", "--json"])
    assert code == 0, err
    told = json.loads(out)
    assert len(told["files"]) == 2
    assert all((tmp_path / "x").samefile(path.rsplit("/", 1)[0]) for path in told["files"])


@pytest.mark.parametrize("arguments", [["--format", "bundle"], [], ["--format", "nrrd", "--ignore-above", "9"]])
def test_an_export_that_makes_no_sense_is_refused_in_one_line(made, run, tmp_path, arguments):
    code, _, err = run(["export", made / "out", *arguments, "--out", tmp_path / "x"])
    assert code == 2
    assert len(err.splitlines()) == 1
    assert not (tmp_path / "x").exists()


def test_a_folder_without_samples_is_refused(run, tmp_path):
    code, _, err = run(["export", tmp_path, "--format", "nrrd", "--out", tmp_path / "x"])
    assert code == 2
    assert "holds no sample" in err
