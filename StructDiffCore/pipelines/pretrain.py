"""``structdiff pretrain CONFIG.yaml``: a segmenter pre-trained on synthetic pairs by confidence, then fine-tuned on real ones."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from StructDiffCore.config.messages import CANCEL_FILE, Event, Job, log, progress
from StructDiffCore.domain import StructDiffError

from .config_file import config_path, out_folder
from .devices import chosen_device
from .remaining import RemainingTime

if TYPE_CHECKING:
    from StructDiffCore.cal.run import Progress
    from StructDiffCore.cal.weights_files import WeightsFiles


def run(job: Job) -> Iterator[Event]:
    """Progress per pair and per step, then ``finished`` with the weights and their scores. A checkpoint survives any end."""
    from StructDiffCore.cal.data import listed
    from StructDiffCore.cal.run import CHECKPOINT, any_process, device_of, read_pairs, run_pretraining
    from StructDiffCore.cal.settings import PretrainSettings
    from StructDiffCore.cal.weights_files import WeightsFiles

    from .pair_process import made_pairs

    config, out = config_path(job), out_folder(job)
    settings = PretrainSettings.read(config)
    chosen_device(job.device)
    begun = _refuse_overwriting(out, out / CHECKPOINT, bool(job.settings.get("resume")))
    found = listed(settings, config.parent)
    made = made_pairs(found, settings, config.parent, out, job.device, begun)
    data = yield from _shown(read_pairs(settings, found, out, made), lambda: (out / CANCEL_FILE).exists())
    device = device_of(settings, job.device)
    with contextlib.closing(run_pretraining(settings, data, out, device)) as steps:  # type: ignore[type-var]
        yield from _shown(steps, lambda: any_process(device, (out / CANCEL_FILE).exists()))
    if device.rank == 0:
        yield Event("finished", _told(WeightsFiles(out), data.words()))
    else:
        yield Event("finished", {"summary": [], "rank": device.rank})


def _shown(steps: Iterator[Progress], cancelled: Callable[[], bool]) -> Generator[Event, None, Any]:
    """Progress with the time left; a cancel file stops between two steps. Returns what ``steps`` returns."""
    left: dict[str, RemainingTime] = {}
    while True:
        try:
            now = next(steps)
        except StopIteration as end:
            return end.value
        if now.note:
            yield log(now.note)
        clock = left.setdefault(now.stage, RemainingTime(done=max(0, now.done - 1)))
        more: dict[str, Any] = {"loss": now.loss}
        if now.score is not None:
            more["dice"] = now.score.mean
            yield log(f"step {now.done}: Dice {now.score.mean:.3f} on the held-out cases")
        eta = clock.tick(now.done, now.total)
        eta = eta if now.least_s is None else max(now.least_s, eta or 0.0)
        yield progress(now.stage, now.done, now.total, eta, **more)
        if cancelled():
            raise StructDiffError(
                f"cancelled by a file named {CANCEL_FILE} in the run's folder", "remove it and add --resume to go on", "cancelled"
            )


def _refuse_overwriting(out: Path, checkpoints: Path, resume: bool) -> bool:
    """Whether there is a run to go on with."""
    begun = checkpoints.is_dir() and any(checkpoints.iterdir())
    if begun and not resume:
        raise StructDiffError(f"{out} holds a run already", "add --resume to go on with it, or choose another --out")
    return begun


def _told(files: WeightsFiles, notes: Sequence[str]) -> dict[str, Any]:
    best = files.settle()
    card = files.card("best")
    scores = card.get("validation")
    summary = [f"weights: {best} (step {card.get('step')})", f"SHA-256: {card.get('sha256')}"]
    if scores:
        rows = [f"  {name}: {value:.3f}" for name, value in scores["labels"].items()]
        summary = [f"Dice on the held-out cases: {scores['mean']:.3f}", *rows, *summary]
    told = {"weights": str(best), "last": str(files.path("last")), "sha256": card.get("sha256"), "validation": scores}
    if files.path("pretrained").is_file():
        told["pretrained"] = str(files.path("pretrained"))
    return {**told, "notes": list(notes), "summary": [*notes, *summary]}
