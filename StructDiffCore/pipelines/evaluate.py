"""``structdiff evaluate CONFIG.yaml``: the network beside the truth and the renderer, one table."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from StructDiffCore.config.messages import CANCEL_FILE, Event, Job, log, progress
from StructDiffCore.domain import StructDiffError

from .config_file import config_path, out_folder
from .remaining import RemainingTime

if TYPE_CHECKING:
    from StructDiffCore.evaluation.harness import Result


def run(job: Job) -> Iterator[Event]:
    """Progress per answer; writes evaluation.json, table.md and table.png into the output folder."""
    from StructDiffCore.evaluation.harness import evaluate
    from StructDiffCore.evaluation.settings import EvaluationSettings
    from StructDiffCore.evaluation.table import as_markdown, labels_markdown

    settings, out = EvaluationSettings.read(config_path(job)), out_folder(job)
    results: list[Result] = []
    clock: RemainingTime | None = None
    for answer in evaluate(settings):
        clock = clock or RemainingTime(answer.total)
        results.append(answer.result)
        yield progress("evaluate", answer.done, answer.total, clock.tick(answer.done), case=answer.case.name)
        if (out / CANCEL_FILE).exists():
            raise StructDiffError(f"cancelled by the file {out / CANCEL_FILE}", "remove it and start again", "cancelled")
    if settings.real_case and not any(result.domain == "real" for result in results):
        yield log("the real case was left out: ../shared/data is not here")
    _write(out, results, settings)
    table = as_markdown(results) + "\n" + labels_markdown(results)
    yield Event("finished", {"report": str(out / "evaluation.json"), "summary": [table, f"written: {out}"]})


def _write(out: Path, results: list[Result], settings: object) -> None:
    from dataclasses import asdict

    from StructDiffCore.evaluation.table import as_figure, as_json, as_markdown, labels_markdown

    out.mkdir(parents=True, exist_ok=True)
    content = {"settings": asdict(settings), **as_json(results)}  # type: ignore[call-overload]
    (out / "evaluation.json").write_text(json.dumps(content, indent=2), encoding="utf-8")
    (out / "table.md").write_text(as_markdown(results) + "\n" + labels_markdown(results) + "\n", encoding="utf-8")
    as_figure(results).savefig(out / "table.png", dpi=110)
