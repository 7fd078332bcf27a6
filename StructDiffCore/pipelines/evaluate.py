"""``structdiff evaluate CONFIG.yaml``: the generator beside the renderer and the truth, in one table."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from StructDiffCore.config.messages import Event, Job, progress

from .config_file import config_path
from .remaining import RemainingTime
from .result_folder import ResultFolder

if TYPE_CHECKING:
    from StructDiffCore.evaluation.harness import Result
    from StructDiffCore.evaluation.settings import EvaluationSettings

NAME = "report"
JOURNAL = "answers.jsonl"


def run(job: Job) -> Iterator[Event]:
    """Progress per answer, then ``finished`` with the report's folder and the summary as Markdown.

    Answers are kept as they come: the same command on the same folder goes on where it was stopped.
    """
    from StructDiffCore.evaluation.settings import EvaluationSettings

    settings = EvaluationSettings.read(config_path(job))
    folder = ResultFolder.checked(job.out, tolerated=(JOURNAL,))
    from StructDiffCore.evaluation.harness import evaluate
    from StructDiffCore.evaluation.journal import begin, note, read_journal

    results = read_journal(folder.path, settings.as_dict())
    clock = RemainingTime(done=len(results))
    with folder.opened():
        begin(folder.path, settings.as_dict())
        yield progress("evaluating", len(results), 0)
        for answer in evaluate(settings, {(r.case, r.row) for r in results}):
            folder.refuse_cancelled()
            results.append(answer.result)
            note(folder.path, answer.result)
            words = f"evaluating {answer.result.row} on {answer.result.case}"
            yield progress(words, answer.done, answer.total, clock.tick(answer.done, answer.total))
        with folder.result(NAME) as partial:
            _write(partial, results, settings)
    yield Event("finished", {"out": str(folder.path / NAME), "summary": [*_tables(results), f"report: {folder.path / NAME}"]})


def _write(folder: Path, results: Sequence[Result], settings: EvaluationSettings) -> None:
    """report.json, report.md and report.png."""
    from StructDiffCore.evaluation.harness import tiles_compared
    from StructDiffCore.evaluation.paired import comparisons
    from StructDiffCore.evaluation.table import as_figure, as_json
    from StructDiffCore.io.atomic import write_text

    tiles = tiles_compared(settings) if settings.tiles else {}
    paired = [asdict(c) for c in comparisons(results)]
    document = {"settings": settings.as_dict(), **as_json(results), "paired": paired, "tiles": tiles}
    write_text(folder / "report.json", json.dumps(document, indent=2) + "\n")
    told = "\n".join(f"- {name}: {value:.3g}" for name, value in tiles.items())
    write_text(folder / "report.md", "\n\n".join(filter(None, (*_tables(results), told))) + "\n")
    as_figure(results).savefig(folder / "report.png", dpi=110)


def _tables(results: Sequence[Result]) -> list[str]:
    from StructDiffCore.evaluation.paired import paired_markdown
    from StructDiffCore.evaluation.table import as_markdown, labels_markdown

    return [text for text in (as_markdown(results), paired_markdown(results), labels_markdown(results)) if text]
