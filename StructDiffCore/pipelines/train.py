"""``structdiff train CONFIG.yaml``: train or fine-tune a generator, and write its weights."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from StructDiffCore.config.messages import CANCEL_FILE, Event, Job, progress
from StructDiffCore.domain import StructDiffError

from .config_file import config_path, out_folder
from .remaining import RemainingTime

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
    left: dict[str, RemainingTime] = {}
    loss = None
    for now in run_training(settings, out, minutes=minutes):
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
