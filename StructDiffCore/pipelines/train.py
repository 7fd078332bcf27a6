"""``structdiff train CONFIG.yaml``: train or fine-tune a generator, and write its weights."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from StructDiffCore.config.messages import CANCEL_FILE, Event, Job, progress
from StructDiffCore.domain import StructDiffError

from .config_file import config_path, out_folder
from .remaining import RemainingTime

if TYPE_CHECKING:
    from StructDiffCore.training.settings import TrainSettings

WEIGHTS = "weights.safetensors"


def run(job: Job) -> Iterator[Event]:
    """Progress per step, then ``finished`` with the weights' path and SHA-256. A checkpoint survives any end."""
    from StructDiffCore.training.checkpoint import NAME
    from StructDiffCore.training.export import export_weights
    from StructDiffCore.training.run import LOG, log_line, run_training
    from StructDiffCore.training.settings import TrainSettings

    minutes, out = _minutes(job), out_folder(job)
    settings = TrainSettings.read(config_path(job))
    _refuse_overwriting(out / NAME, bool(job.settings.get("resume")))
    initial = _initial(job)
    left: dict[str, RemainingTime] = {}
    loss = None
    yield from _cached(job, out, settings)
    for now in run_training(settings, out, minutes=minutes, initial=initial):
        if now.step is not None:
            loss = now.step.loss
            with (out / LOG).open("a", encoding="utf-8") as log:
                log_line(log, now.step)
        clock = left.setdefault(now.stage, RemainingTime(done=now.done))
        yield progress(now.stage, now.done, now.total, clock.tick(now.done, now.total), loss=loss)
        if (out / CANCEL_FILE).exists():
            raise StructDiffError(
                f"cancelled by the file {out / CANCEL_FILE}", "remove it and add --resume to go on", "cancelled"
            )
    digest = export_weights(out, out / WEIGHTS)
    yield Event("finished", _told(out / WEIGHTS, digest, loss))


def _cached(job: Job, out: Path, settings: TrainSettings) -> Iterator[Event]:
    """Bring the data sets asked for into the run's folder."""
    folders = job.settings.get("data") or []
    if not folders:
        return
    if settings.pairs.real_share <= 0:
        raise StructDiffError("data sets are given, but pairs.real_share is 0", "set it, for example to 0.7 (the rest: phantoms)")
    from .data_sets import cache_data_sets

    for case in cache_data_sets(folders, out, settings.pairs.scan_spacing_mm):
        yield progress(f"reading {case.name}", case.done, case.total, 0.0)


def _initial(job: Job) -> Path | None:
    """Weights to start from; 'shipped' are those that come with StructDiff."""
    given = job.settings.get("init")
    if not given:
        return None
    if given == "shipped":
        from StructDiffCore.config.resources import resources_folder
        from StructDiffCore.systems.structdiff import SHIPPED_WEIGHTS

        return resources_folder() / "Models" / SHIPPED_WEIGHTS
    return Path(str(given))


def _refuse_overwriting(checkpoint: Path, resume: bool) -> None:
    if checkpoint.exists() and not resume:
        raise StructDiffError(
            f"{checkpoint.parent} holds a run already", "add --resume to go on with it, or choose another --out"
        )


def _minutes(job: Job) -> float | None:
    minutes = job.settings.get("minutes")
    if minutes is None:
        return None
    if isinstance(minutes, bool) or not isinstance(minutes, (int, float)) or not minutes > 0:
        raise StructDiffError(f"minutes is {minutes!r}, expected a positive number", "give for example --minutes 60")
    return float(minutes)


def _told(weights: Path, digest: str, loss: float | None) -> dict[str, object]:
    summary = [f"weights: {weights}", f"SHA-256: {digest}"]
    if loss is not None:
        summary.insert(0, f"last loss: {loss:.4f}")
    return {"weights": str(weights), "sha256": digest, "loss": loss, "summary": summary}
