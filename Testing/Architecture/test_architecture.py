"""The house keeps its plan: layers, sizes, and a paper map whose entries exist."""

import ast
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted(path for part in ("StructDiffCore", "StructDiffSlicer") for path in (ROOT / part).rglob("*.py"))


def test_the_layers_hold():
    done = subprocess.run([str(Path(sys.executable).parent / "lint-imports")], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def functions():
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{path.relative_to(ROOT)}:{node.name}", node.end_lineno - node.lineno + 1


def test_no_function_is_longer_than_60_lines():
    assert [name for name, lines in functions() if lines > 60] == []


def test_nine_functions_in_ten_are_under_25_lines():
    lines = sorted(size for _, size in functions())
    assert lines[int(0.9 * len(lines))] <= 25


def test_no_file_is_longer_than_300_lines():
    assert [str(path) for path in SOURCES if len(path.read_text(encoding="utf-8").splitlines()) > 300] == []


def paper_map_entries():
    table = (ROOT / "Resources" / "Docs" / "PAPER_MAP.md").read_text(encoding="utf-8")
    return re.findall(r"`(StructDiffCore/[\w/]+\.py):(\w+)`", table)


def test_the_paper_map_has_entries():
    assert len(paper_map_entries()) >= 15


def test_every_row_of_the_paper_map_stands_in_a_table_with_a_head():
    lines = (ROOT / "Resources" / "Docs" / "PAPER_MAP.md").read_text(encoding="utf-8").splitlines()
    heads = [n for n, line in enumerate(lines) if line.startswith("|") and not lines[n - 1].startswith("|")]
    assert heads
    assert all(set(lines[n + 1]) <= set("|-") for n in heads)


@pytest.mark.parametrize(("path", "symbol"), paper_map_entries())
def test_every_entry_of_the_paper_map_exists(path, symbol):
    module = importlib.import_module(path.removesuffix(".py").replace("/", "."))
    assert hasattr(module, symbol)
