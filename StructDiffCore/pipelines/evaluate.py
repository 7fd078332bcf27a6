"""``structdiff evaluate CONFIG.yaml``: the generator beside the renderer and the truth, in one table."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from StructDiffCore.config.messages import Event, Job, progress

from .config_file import config_path
from .remaining import RemainingTime
from .result_folder import ResultFolder

if TYPE_CHECKING:
    from matplotlib.figure import Figure

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
    settings.refuse_missing_weights()
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
    yield Event(
        "finished", {"out": str(folder.path / NAME), "summary": [*_summary(folder.path / NAME), f"report: {folder.path / NAME}"]}
    )


def _write(folder: Path, results: Sequence[Result], settings: EvaluationSettings) -> None:
    """report, acceptance and, where rows differ in steps, steps: each as JSON, Markdown and a figure."""
    from StructDiffCore.evaluation.acceptance import verdicts, verdicts_by_part
    from StructDiffCore.evaluation.acceptance_table import acceptance_figure, acceptance_json, acceptance_markdown
    from StructDiffCore.evaluation.harness import tiles_compared
    from StructDiffCore.evaluation.paired import comparisons
    from StructDiffCore.evaluation.steps import efforts, steps_figure, steps_json, steps_markdown
    from StructDiffCore.evaluation.table import as_figure, as_json

    tiles = tiles_compared(settings) if settings.tiles else {}
    paired = [asdict(c) for c in comparisons(results)]
    document = {"settings": settings.as_dict(), **as_json(results), "paired": paired, "tiles": tiles}
    told = "\n".join(f"- {name}: {value:.3g}" for name, value in tiles.items())
    _save(folder, "report", document, "\n\n".join(filter(None, (*_tables(results), told))), as_figure(results))
    found, by_part = verdicts(results, tiles), verdicts_by_part(results)
    words = "\n\n".join([acceptance_markdown(found), acceptance_markdown(by_part, "Part by part")])
    _save(folder, "acceptance", acceptance_json([*found, *by_part]), words, acceptance_figure(found))
    by_calls = efforts(results)
    if by_calls:
        _save(folder, "steps", steps_json(by_calls), steps_markdown(by_calls), steps_figure(by_calls))


def _save(folder: Path, name: str, document: Any, words: str, figure: Figure) -> None:
    from StructDiffCore.io.atomic import write_text

    write_text(folder / f"{name}.json", json.dumps(document, indent=2) + "\n")
    write_text(folder / f"{name}.md", words + "\n")
    figure.savefig(folder / f"{name}.png", dpi=110)


def _summary(folder: Path) -> list[str]:
    """What is told on the screen: every table, the acceptance last."""
    tables = [folder / f"{name}.md" for name in ("report", "steps", "acceptance")]
    return [path.read_text(encoding="utf-8").rstrip() for path in tables if path.exists()]


def _tables(results: Sequence[Result]) -> list[str]:
    from StructDiffCore.evaluation.paired import paired_markdown
    from StructDiffCore.evaluation.table import as_markdown, labels_markdown

    return [text for text in (as_markdown(results), paired_markdown(results), labels_markdown(results)) if text]
