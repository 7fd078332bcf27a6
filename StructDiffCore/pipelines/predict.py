"""``structdiff predict IMAGE...``: the masks a trained segmenter sees."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from StructDiffCore.config.messages import Event, Job, progress
from StructDiffCore.domain import StructDiffError

from .devices import chosen_device
from .remaining import RemainingTime
from .result_folder import ResultFolder

ENDINGS = (".seg.nrrd", ".nrrd", ".nii.gz")
"""The first carries names and colours, and is the default."""


def run(job: Job) -> Iterator[Event]:
    """Progress per image; writes DIR/NAME.seg.nrrd per image and DIR/manifest.json."""
    from StructDiffCore.io.files import read_volume, write_label_map
    from StructDiffCore.preprocess.sanity import check_hu
    from StructDiffCore.segmentation.segmenter import Segmenter

    images, ending = _images(job), _ending(job)
    segmenter = Segmenter.load_weights(_model(job), _scheme(job)).on(chosen_device(job.device))
    folder = ResultFolder.checked(job.out)
    clock = RemainingTime(total=len(images))
    written: dict[str, dict[str, Any]] = {}
    with folder.opened() as out:
        yield progress("segmenting", 0, len(images))
        for number, (name, path) in enumerate(images.items(), start=1):
            image = read_volume(path)
            check_hu(image, str(path))
            mask = segmenter.predict(image, before_call=folder.refuse_cancelled)
            write_label_map(mask, out / f"{name}{ending}")
            written[name] = {"file": f"{name}{ending}", "labels": [segmenter.scheme[v].name for v in mask.present]}
            yield progress("segmenting", number, len(images), clock.tick(number))
        _write_manifest(out, job, segmenter, written)
    summary = [f"{out / told['file']}: {', '.join(told['labels']) or 'nothing found'}" for told in written.values()]
    masks = [str(out / told["file"]) for told in written.values()]
    yield Event("finished", {"out": str(out), "masks": masks, "summary": summary})


def _images(job: Job) -> dict[str, Path]:
    """Name of the result -> image; refuses none, missing ones and two of one name before anything is computed."""
    from StructDiffCore.io.integrity import refuse_missing
    from StructDiffCore.io.layouts import stem

    given: Sequence[str] = job.inputs.get("images") or ()
    if isinstance(given, str) or not given:
        raise StructDiffError("no image given", "give at least one CT volume")
    named: dict[str, Path] = {}
    for path in map(Path, given):
        if not path.is_dir():
            refuse_missing(path)
        name = path.name if path.is_dir() else stem(path)
        if name in named:
            raise StructDiffError(f"{named[name]} and {path} would both become {name}", "give them in two runs")
        named[name] = path
    return named


def _ending(job: Job) -> str:
    ending = job.settings.get("ending", ENDINGS[0])
    if ending not in ENDINGS:
        raise StructDiffError(f"unknown ending '{ending}'", f"choose one of {', '.join(ENDINGS)}")
    return str(ending)


def _model(job: Job) -> Path:
    model = job.settings.get("model")
    if not model:
        raise StructDiffError("no segmenter given", "give --model FILE, weights written by 'structdiff pretrain'")
    return Path(str(model))


def _scheme(job: Job) -> Any:
    """The scheme the weights must be of, where one is given."""
    from StructDiffCore.io.schemes import load_scheme

    name = job.settings.get("scheme")
    return None if name is None else load_scheme(str(name))


def _write_manifest(out: Path, job: Job, segmenter: Any, written: dict[str, dict[str, Any]]) -> None:
    from StructDiffCore.io.manifest import write_manifest
    from StructDiffCore.systems.weights_file import sha256_of

    from .sample_files import software

    settings = segmenter.settings
    content = {
        "synthetic": False,
        "verb": "predict",
        "software": software(),
        "weights": {"sha256": sha256_of(_model(job)), "network": settings.network, "spacing_mm": settings.spacing_mm},
        "scheme": segmenter.scheme.name,
        "masks": written,
    }
    write_manifest(out, content)
