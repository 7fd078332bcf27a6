"""``structdiff --help``: instant, with examples, and only verbs that exist."""

import subprocess
import sys

import pytest

from StructDiffCore import __version__
from StructDiffCore.cli.arguments import build_parser
from StructDiffCore.cli.main import main
from StructDiffCore.pipelines.verbs import PIPELINES

HEAVY = ("numpy", "torch", "monai", "SimpleITK", "rich", "matplotlib")
VERBS = (
    "demo",
    "synthesize",
    "synthesize-many",
    "masks",
    "topology",
    "train",
    "pretrain",
    "predict",
    "evaluate",
    "export",
    "doctor",
    "work",
)


def test_help_imports_nothing_heavy():
    script = (
        "import sys\nfrom StructDiffCore.cli.main import main\ncode = main(['--help'])\n"
        f"print('LOADED', code, [name for name in {HEAVY!r} if name in sys.modules])"
    )
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert told.stdout.splitlines()[-1] == "LOADED 0 []"


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_examples_and_json(verb, capsys):
    assert main([verb, "--help"]) == 0
    told = capsys.readouterr()
    assert f"  structdiff {verb}" in told.out.split("examples:")[1]
    assert "--json" in told.out
    assert told.err == ""


def test_the_verbs_listed_are_those_that_exist():
    listed = next(action.choices for action in build_parser()._actions if isinstance(action.choices, dict))
    assert set(listed) == set(VERBS) == {*PIPELINES, "work"}


def test_no_arguments_show_the_help(capsys):
    assert main([]) == 0
    assert "usage: structdiff" in capsys.readouterr().out


def test_the_version_is_told(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.strip() == f"structdiff {__version__}"
