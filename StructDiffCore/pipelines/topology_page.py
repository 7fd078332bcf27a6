"""The page of ``structdiff topology --report``: table, findings and pictures of a mask."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from StructDiffCore.domain import LabelMap
from StructDiffCore.io.atomic import write_text
from StructDiffCore.pictures.surface_page import Mark, save_surface
from StructDiffCore.topology.report import TopologyReport

from .result_folder import ResultFolder

MARKED = 6
"""Findings pointed at in the picture."""
STYLE = "body{font:15px sans-serif;max-width:1100px;margin:2em auto}td,th{padding:.2em .8em;text-align:left}img{max-width:100%}"


def write_page(
    folder: ResultFolder, mask: LabelMap, report: TopologyReport, summary: Sequence[str], payload: Mapping[str, Any]
) -> Path:
    """Write topology.json, mask_3d.png and topology.html; the path of the page."""
    with folder.opened() as out:
        write_text(out / "topology.json", json.dumps(payload, indent=1))
        save_surface(out / "mask_3d.png", mask, marks=_marks(report), title=f"verdict: {report.verdict}")
        write_text(out / "topology.html", _page(report, summary))
        return out / "topology.html"


def _marks(report: TopologyReport) -> list[Mark]:
    placed = [finding for finding in report.findings if finding.position_mm is not None and finding.severity != "note"]
    marks = []
    for finding in placed[:MARKED]:
        assert finding.position_mm is not None
        x, y, z = (float(part) for part in finding.position_mm)
        marks.append(Mark((x, y, z), finding.kind))
    return marks


def _page(report: TopologyReport, summary: Sequence[str]) -> str:
    rows = "".join(_row(finding.as_dict()) for finding in report.findings)
    table = f"<table><tr><th>severity<th>what<th>where (RAS mm)<th>fix</tr>{rows}</table>" if rows else "<p>nothing found</p>"
    words = escape("\n".join(summary))
    return (
        f"<!doctype html><meta charset='utf-8'><title>Topology</title><style>{STYLE}</style>"
        f"<h1>Topology: {report.verdict}</h1><pre>{words}</pre><img src='mask_3d.png' alt='the mask in 3D'>"
        f"<h2>Findings</h2>{table}\n"
    )


def _row(finding: Mapping[str, Any]) -> str:
    place = "" if finding["position_ras_mm"] is None else ", ".join(f"{part:.1f}" for part in finding["position_ras_mm"])
    cells = (finding["severity"], finding["message"], place, finding["fix"] or "")
    return "<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in cells) + "</tr>"
