"""``structdiff demo``: the main job on a digital heart whose LAD got a stenosis, with pictures that show it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from StructDiffCore.config.messages import Event, Job, log, progress
from StructDiffCore.config.synthesis_request import GENERATOR_SETTINGS, GeneratorRequest, refuse_unknown_settings

from .demo_case import STENOSIS, DemoCase, demo_case
from .devices import chosen_device
from .models import load_system
from .result_folder import ResultFolder
from .sample_files import Sample, bytes_needed, write_sample
from .synthesize import prepared_for, sampled, told_confidence
from .verdict import intensity_verdict

if TYPE_CHECKING:
    from StructDiffCore.synthesis.result import Synthesis
    from StructDiffCore.topology.report import TopologyReport

NAME = "sample-000"
DISCLAIMER = "This is a digital phantom, not a patient."
LESION = f"{STENOSIS.percent_diameter:.0f} % stenosis of the {STENOSIS.branch}"


def run(job: Job) -> Iterator[Event]:
    """Progress, previews, then ``finished``; an earlier demo in the same folder is replaced."""
    refuse_unknown_settings(job, GENERATOR_SETTINGS)
    generator = GeneratorRequest.from_job(job)
    folder = ResultFolder.checked(job.out, replaces="demo")
    device = chosen_device(generator.device)
    system = load_system(generator.model)
    yield log(f"{DISCLAIMER} Its mask gets a {LESION}; another digital heart is the template.")
    yield progress("growing two digital hearts", 0, 3)
    case = demo_case()
    folder.need_space(bytes_needed(case.target, 2))
    yield progress("aligning the template", 1, 3)
    prepared = yield from prepared_for(case.target, case.template)
    with folder.opened():
        synthesis = yield from sampled(generator, folder, device, system, prepared)
        yield progress("drawing", 2, 3)
        from StructDiffCore.topology.report import topology_report

        topology = topology_report(case.target)
        verdict = intensity_verdict(synthesis.clean, case.target, prepared.source)
        sample = Sample(
            synthesis,
            case.target,
            prepared,
            topology,
            verdict,
            verb="demo",
            words="synthetic CT of a digital phantom",
            focus_mm=case.lesion_mm,
            marks=(_mark(case),),
        )
        with folder.result(NAME) as partial:
            _write(partial, sample, case)
    by_hand = command_by_hand(folder.path / NAME, job)
    yield Event("finished", _told(folder.path / NAME, verdict, topology, synthesis, by_hand))


def command_by_hand(place: Path, job: Job) -> str:
    """The command line of ``synthesize`` that asks the same of the demo's files (whole HU, a float32 grid)."""
    words = ["structdiff", "synthesize", place / "mask.nii.gz", "--template", place / "template.nii.gz"]
    words += [place / "template_mask.nii.gz", "--scheme", "cardiac", "--seed", job.seed]
    for name, value in job.settings.items():
        option = f"--{name.replace('_', '-')}"
        words += [option] if value is True else [] if value is False else [option, value]
    return " ".join(shlex.quote(str(word)) for word in (*words, "--out")) + " DIR"


def _mark(case: DemoCase) -> Any:
    from StructDiffCore.pictures.surface_page import Mark

    return Mark(case.lesion_mm, LESION)


def _write(folder: Path, sample: Sample, case: DemoCase) -> None:
    """The sample's files, the template beside them, and the curved view along the LAD."""
    from StructDiffCore.io.files import write_label_map, write_volume
    from StructDiffCore.pictures.curved import save_curved

    write_volume(case.template.pair.image, folder / "template.nii.gz")
    write_label_map(case.template.pair.mask, folder / "template_mask.nii.gz")
    (folder / "pictures").mkdir()
    save_curved(
        folder / "pictures" / "lad_curved.png",
        sample.synthesis.noisy,
        case.course,
        sample.target,
        case.lesion_along_mm,
        title=f"Digital phantom: along LM and LAD, {LESION}",
    )
    write_sample(folder, sample)


def _told(place: Path, verdict: dict[str, Any], topology: TopologyReport, synthesis: Synthesis, by_hand: str) -> dict[str, Any]:
    confidence = told_confidence(place, synthesis)
    drawn = ("planes.png", "lad_curved.png", "mask_3d.png", *(("confidence.png",) if confidence["confidence"] else ()))
    pictures = [str(place / "pictures" / name) for name in drawn]
    return {
        "out": str(place.parent),
        "image": str(place / "image.nii.gz"),
        "manifest": str(place / "manifest.json"),
        "pictures": pictures,
        "trees": topology.lines(),
        "topology": topology.verdict,
        "quality": verdict["verdict"],
        **confidence,
        "summary": [
            DISCLAIMER,
            *topology.lines(),
            confidence["confidence_words"],
            f"CT volume: {place / 'image.nii.gz'}",
            "pictures:",
            *(f"  {picture}" for picture in pictures),
            f"the same job by hand: {by_hand}",
        ],
    }
