"""``structdiff topology MASK``: what the topology of a mask is, what is wrong with it and where, also against a reference."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from StructDiffCore.config.messages import Event, Job, progress
from StructDiffCore.domain import Label, LabelMap, LabelScheme, StructDiffError

from .result_folder import ResultFolder

if TYPE_CHECKING:
    from StructDiffCore.measures.mask_comparison import LabelComparison
    from StructDiffCore.topology.report import TopologyReport

MOST_LABELS = 300
"""More values than this are no label map."""
LISTED_FINDINGS = 25


def run(job: Job) -> Iterator[Event]:
    """``finished`` with geometry, labels, findings and verdict, and ``against`` where a reference was given."""
    from StructDiffCore.io.schemes import load_scheme
    from StructDiffCore.topology.report import topology_report

    name = job.settings.get("scheme")
    scheme = load_scheme(name) if name else None
    folder = ResultFolder.checked(job.out) if job.out else None
    paths = _paths(job)
    stages = 1 + len(paths)
    yield progress("reading", 0, stages)
    masks = [_read(path, scheme) for path in paths]
    reports = []
    for done, (mask, unknown) in enumerate(masks, start=1):
        yield progress("measuring", done, stages)
        reports.append(topology_report(mask, unknown))
    payload: dict[str, Any] = reports[0].as_dict(with_profile=True)
    summary = _summary(reports[0])
    if len(masks) == 2:
        from StructDiffCore.measures.mask_comparison import compare_masks

        compared = compare_masks(masks[0][0], masks[1][0], (reports[0], reports[1]))
        payload["against"] = {str(value): one.as_dict() for value, one in compared.items()}
        summary += [_compared_line(one) for one in compared.values()]
    if folder is not None:
        from .topology_page import write_page

        page = write_page(folder, masks[0][0], reports[0], summary, payload)
        summary.append(f"page: {page}")
    yield Event("finished", {**payload, "summary": summary})


def _paths(job: Job) -> list[Path]:
    if not job.inputs.get("mask"):
        raise StructDiffError("no mask given", "give the path of a label map")
    return [Path(job.inputs[role]) for role in ("mask", "against") if job.inputs.get(role)]


def _read(path: Path, scheme: LabelScheme | None) -> tuple[LabelMap, list[int]]:
    """The mask in the scheme, to which its unknown labels are added so that they can be looked at."""
    from StructDiffCore.io.files import read_label_map

    mask = read_label_map(path)
    if len(mask.present) > MOST_LABELS:
        raise StructDiffError(f"{path} holds {len(mask.present)} different values", "give a label map, not an image")
    if scheme is None:
        return mask, []
    unknown = scheme.unknown(mask.present)
    if len(unknown) == len(mask.present):
        raise StructDiffError(f"{path}: none of its labels {unknown[:8]} is in the scheme '{scheme.name}'", "give its --scheme")
    added = tuple(Label(value, f"label {value}") for value in unknown)
    return LabelMap(mask.voxels, mask.geometry, replace(scheme, labels=scheme.labels + added)), unknown


def _summary(report: TopologyReport) -> list[str]:
    """A readable table: one line per label, the findings, the verdict."""
    width = max(len(found.label.name) for found in report.labels)
    lines = [f"{'label':{width}}  pieces  loops  cavities   ends  volume mm3"]
    for found in report.labels:
        ends = str(len(found.graph.ends)) if found.graph is not None else "-"
        betti = found.betti
        lines.append(f"{found.label.name:{width}}  {betti.b0:6}  {betti.b1:5}  {betti.b2:8}  {ends:>5}  {found.volume_mm3:10.1f}")
    told = [finding for finding in report.findings if finding.severity != "note"]
    for finding in told[:LISTED_FINDINGS]:
        place = "" if finding.position_mm is None else " at ({:.1f}, {:.1f}, {:.1f}) RAS mm".format(*finding.position_mm)
        lines.append(f"{finding.severity}: {finding.message}{place}" + (f" [fix: {finding.fix}]" if finding.fix else ""))
    if len(told) > LISTED_FINDINGS:
        lines.append(f"... and {len(told) - LISTED_FINDINGS} more findings (--json lists them all)")
    if not any(found.label.thin for found in report.labels):
        lines.append("no label is known to be a vessel, so none has a graph: give --scheme NAME or FILE")
    return [*lines, *report.lines(), f"verdict: {report.verdict}"]


def _compared_line(one: LabelComparison) -> str:
    line = f"against, {one.name}: Dice {one.dice:.4f}, HD95 {one.hd95_mm:.2f} mm, ASSD {one.assd_mm:.2f} mm"
    line += f", Betti errors {one.betti_error}, matching errors {one.matching_error}"
    if one.cldice is not None:
        line += f", clDice {one.cldice:.4f}"
    if one.branches is not None:
        line += f", branches found {sum(branch.found for branch in one.branches)} of {len(one.branches)}"
    return line
