"""``structdiff evaluate CONFIG.yaml``: the generator beside the renderer and the truth, in one table."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from StructDiffCore.config.messages import Event, Job, progress

from .config_file import config_path
from .remaining import RemainingTime
from .result_folder import ResultFolder

if TYPE_CHECKING:
    from StructDiffCore.evaluation.harness import Result

NAME = "report"


def run(job: Job) -> Iterator[Event]:
    """Progress per answer, then ``finished`` with the report's folder and the summary as Markdown."""
    from StructDiffCore.evaluation.settings import EvaluationSettings

    settings = EvaluationSettings.read(config_path(job))
    folder = ResultFolder.checked(job.out)
    from StructDiffCore.evaluation.harness import evaluate
    from StructDiffCore.evaluation.table import as_markdown, labels_markdown

    results: list[Result] = []
    clock = RemainingTime()
    with folder.opened():
        yield progress("evaluating", 0, 0)
        for answer in evaluate(settings):
            folder.refuse_cancelled()
            results.append(answer.result)
            words = f"evaluating {answer.result.row} on {answer.result.case}"
            yield progress(words, answer.done, answer.total, clock.tick(answer.done, answer.total))
        with folder.result(NAME) as partial:
            _write(partial, results, settings.as_dict())
    tables = [text for text in (as_markdown(results), labels_markdown(results)) if text]
    yield Event("finished", {"out": str(folder.path / NAME), "summary": [*tables, f"report: {folder.path / NAME}"]})


def _write(folder: Path, results: Sequence[Result], settings: dict[str, object]) -> None:
    """report.json, report.md and report.png."""
    from StructDiffCore.evaluation.table import as_figure, as_json, as_markdown, labels_markdown
    from StructDiffCore.io.atomic import write_text

    document = {"settings": settings, **as_json(results)}
    write_text(folder / "report.json", json.dumps(document, indent=2) + "\n")
    write_text(folder / "report.md", "\n\n".join(filter(None, (as_markdown(results), labels_markdown(results)))) + "\n")
    as_figure(results).savefig(folder / "report.png", dpi=110)
