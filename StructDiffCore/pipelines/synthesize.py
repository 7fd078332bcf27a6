"""``structdiff synthesize``: from a mask and a template pair to CT volumes that obey the mask."""

from __future__ import annotations

from collections.abc import Generator, Hashable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from StructDiffCore.config.messages import Event, Job, log, progress
from StructDiffCore.config.synthesis_request import GeneratorRequest, SynthesisRequest
from StructDiffCore.domain import LabelMap, StructDiffError, Template

from .background import Emit, stream
from .devices import chosen_device
from .estimate import estimate_run, stored_machine
from .last_used import LastUsed, state_of
from .lineage import lineage_of
from .models import load_system, weights_path
from .previews import Previews, preview
from .read_back import READ_BACK, ReadBack, refuse_other_schemes
from .remaining import RemainingTime
from .result_folder import ResultFolder
from .sample_files import CONFIDENCE, MASK_PICTURE, Sample, bytes_needed, confidence_worth, write_sample
from .verdict import intensity_verdict

if TYPE_CHECKING:
    import torch

    from StructDiffCore.synthesis.prepared import Prepared
    from StructDiffCore.synthesis.result import Synthesis
    from StructDiffCore.synthesis.running_estimate import RunningEstimate
    from StructDiffCore.systems.structdiff import StructDiff

STAGE = "synthesising"


def run(job: Job, kept: LastUsed | None = None) -> Iterator[Event]:
    """Progress, a preview per sample, then ``finished`` with the samples' folders, seeds and verdicts.

    ``kept``: what an earlier job of a batch has left; the voxels are the same without it.
    """
    kept = kept or LastUsed()
    request = SynthesisRequest.from_job(job)
    folder = ResultFolder.checked(job.out)
    device = chosen_device(request.generator.device)
    folder.refuse_cancelled()
    yield progress("reading", 0, 3)
    pair = pair_key(request)
    target, template = kept.last("inputs", pair) or kept.keep("inputs", pair, read_inputs(request))
    if request.read_back:
        refuse_other_schemes(target)
    yield progress("reading", 1, 3)
    weights = state_of(weights_path(request.generator.model))
    system = kept.last("system", weights) or kept.keep("system", weights, load_system(request.generator.model))
    folder.need_space(bytes_needed(target, request.samples))
    yield from told_estimate(job, device, target, template)
    yield progress("aligning the template", 2, 3)
    prepared = kept.last("prepared", pair)
    if prepared is None:
        prepared = kept.keep("prepared", pair, (yield from prepared_for(target, template, request.correspondence)))
    folder.refuse_cancelled()
    with folder.opened():
        lineage = lineage_of(request.mask, template)
        made = yield from _samples(request, folder, device, system, target, prepared, lineage)
    yield Event("finished", {"out": str(folder.path), "samples": made, "summary": _summary(folder, made)})


def pair_key(request: SynthesisRequest) -> Hashable:
    """What decides mask, template and their alignment."""
    files = [state_of(path) for path in (request.mask, request.template_image, request.template_mask)]
    return (*files, request.scheme, request.resample, tuple(sorted(request.correspondence.items())))


def told_estimate(job: Job, device: torch.device, target: LabelMap, template: Template) -> Iterator[Event]:
    """A ``log`` event with seconds and memory, where doctor has timed this device."""
    machine = stored_machine()
    if machine is None or machine.get("device") != str(device) or not machine.get("rate"):
        return
    shapes = (target.geometry.shape, template.pair.geometry.shape)
    yield log(f"this takes {estimate_run(*shapes, settings=job.settings, machine=machine)} on {device}")


def read_inputs(request: SynthesisRequest) -> tuple[LabelMap, Template]:
    """Target mask and template pair from their files."""
    from StructDiffCore.io.files import read_label_map, read_template
    from StructDiffCore.io.schemes import load_scheme

    scheme = load_scheme(request.scheme) if request.scheme else None
    target = read_label_map(request.mask, scheme)
    template = read_template(request.template_image, request.template_mask, scheme, request.resample)
    _refuse_strange_correspondence(request.correspondence, target, template.pair.mask)
    return target, template


def _refuse_strange_correspondence(correspondence: Mapping[int, int], target: LabelMap, source: LabelMap) -> None:
    for wanted, given in correspondence.items():
        if wanted not in target.present:
            raise StructDiffError(f"the mask has no label {wanted} (it has {list(target.present)})", "correct the correspondence")
        if given not in source.present:
            raise StructDiffError(
                f"the template's mask has no label {given} (it has {list(source.present)})", "correct the correspondence"
            )


def prepared_for(
    target: LabelMap, template: Template, correspondence: Mapping[int, int] | None = None
) -> Generator[Event, None, Prepared]:
    """The template aligned and read, in a thread, so that Ctrl-C is heard meanwhile."""
    from StructDiffCore.synthesis.prepared import prepare

    return (yield from stream(lambda emit: prepare(target, template, correspondence)))


def seed_of_sample(seed: int, number: int) -> int:
    """The job's seed for the first sample, seeds drawn from it for the others; each is told in its manifest."""
    return seed if number == 0 else int(np.random.SeedSequence([seed, number]).generate_state(1)[0])


def sampled(
    generator: GeneratorRequest,
    folder: ResultFolder,
    device: torch.device,
    system: StructDiff,
    prepared: Prepared,
    number: int = 0,
    of: int = 1,
) -> Generator[Event, None, Synthesis]:
    """One volume, with an event after every network call and now and then a preview; the cancel file stops it there."""
    from StructDiffCore.synthesis.synthesize import sample

    clock = RemainingTime()

    def work(emit: Emit) -> Synthesis:
        def on_step(stage: str, done: int, total: int) -> None:
            folder.refuse_cancelled()
            emit(progress(STAGE, number * total + done, of * total, clock.tick(done, total * (of - number))))

        def on_estimate(estimate: RunningEstimate) -> None:
            if (shown := looks.event(estimate)) is not None:
                emit(shown)

        def on_message(words: str) -> None:
            emit(log(words))

        return sample(
            system,
            prepared,
            generator.settings,
            seed_of_sample(generator.seed, number),
            device,
            on_step=on_step,
            on_message=on_message,
            on_estimate=on_estimate,
        )

    yield progress(STAGE, number, of)
    with folder.previews() as place:
        looks = Previews.of(place, prepared, number)
        return (yield from stream(work))


def _samples(
    request: SynthesisRequest,
    folder: ResultFolder,
    device: torch.device,
    system: StructDiff,
    target: LabelMap,
    prepared: Prepared,
    lineage: Mapping[str, Any],
) -> Generator[Event, None, list[dict[str, Any]]]:
    from StructDiffCore.topology.report import topology_report

    topology = topology_report(target)
    told: list[dict[str, Any]] = []
    for number in range(request.samples):
        synthesis = yield from sampled(request.generator, folder, device, system, prepared, number, request.samples)
        yield progress("writing", number, request.samples)
        verdict = intensity_verdict(synthesis.clean, target, prepared.source)
        seen = (yield from _read_back(synthesis, target, folder)) if request.read_back else None
        name = f"sample-{number:03d}"
        with folder.result(name) as partial:
            drawn = folder.path / "sample-000" / "pictures" / MASK_PICTURE if told else None
            kept = Sample(synthesis, target, prepared, topology, verdict, mask_picture=drawn, lineage=lineage, read_back=seen)
            write_sample(partial, kept)
        steps = request.generator.settings.steps
        yield preview(folder.path / name / "pictures" / "planes.png", number, steps, steps, final=True)
        told.append({**_told(folder, name, synthesis, verdict, topology.verdict), **_told_read_back(folder, name, seen)})
    return told


def _read_back(synthesis: Synthesis, target: LabelMap, folder: ResultFolder) -> Generator[Event, None, ReadBack]:
    from .read_back import read_back

    yield progress("reading the volume back", 0, 1)
    return (yield from stream(lambda emit: read_back(synthesis.noisy, target, folder.refuse_cancelled)))


def _told_read_back(folder: ResultFolder, name: str, seen: ReadBack | None) -> dict[str, Any]:
    """Where the segmenter's mask lies (None where it was not asked) and its topology in words."""
    if seen is None:
        return {"read_back": None}
    return {"read_back": str(folder.path / name / READ_BACK), "read_back_lines": seen.lines()}


def _told(folder: ResultFolder, name: str, synthesis: Synthesis, verdict: Mapping[str, Any], topology: str) -> dict[str, Any]:
    place = folder.path / name
    return {
        "folder": str(place),
        "image": str(place / "image.nii.gz"),
        "mask": str(place / "mask.nii.gz"),
        "manifest": str(place / "manifest.json"),
        "seed": synthesis.record["seed"],
        "quality": verdict["verdict"],
        "off": verdict["off"],
        "topology": topology,
        **told_confidence(place, synthesis),
    }


def told_confidence(place: Path, synthesis: Synthesis) -> dict[str, Any]:
    """Where a sample's confidence map lies (None where there is none), how it was made and what it is worth."""
    made = synthesis.uncertainty
    if made is None:
        return {"confidence": None, "confidence_words": confidence_worth(synthesis), "ssv": "off"}
    words = confidence_worth(synthesis)
    return {"confidence": str(place / CONFIDENCE), "confidence_words": words, "ssv": made.record["method"]}


def _summary(folder: ResultFolder, made: list[dict[str, Any]]) -> list[str]:
    """The last words for a person."""
    lines = []
    for sample in made:
        remark = f" ({', '.join(sample['off'])} off in brightness: look)" if sample["off"] else ""
        lines.append(f"{sample['image']}  seed {sample['seed']}, quality {sample['quality']}{remark}")
    return [
        *lines,
        *(f"read back: {line}" for sample in made for line in sample.get("read_back_lines", ())),
        *dict.fromkeys(sample["confidence_words"] for sample in made if sample["confidence"]),
        f"pictures: {folder.path}/sample-*/pictures",
        "These volumes are synthetic: never use them as a patient's scan.",
    ]
