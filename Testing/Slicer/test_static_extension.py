"""What a reviewer of the Extensions Index looks at first: lists, names, imports, pictures, index entry, translatable text."""

import ast
import json
import re
import struct
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from shipped_files import shipped_lists
from usedNames import UI, sources, widgetsOf

ROOT = Path(__file__).resolve().parents[2]
OURS = ("slicer", "vtk", "qt", "ctk", "numpy", "StructDiffCore", "StructDiffLib")
STANDARD = [
    "batch",
    "ast",
    "collections",
    "contextlib",
    "dataclasses",
    "enum",
    "json",
    "logging",
    "os",
    "pathlib",
    "queue",
    "random",
    "re",
    "shlex",
    "shutil",
    "signal",
    "subprocess",
    "sys",
    "threading",
    "time",
    "typing",
    "xml",
    "tempfile",
    "importlib",
    "math",
]
SCHEMA_KEYS = {
    "required": {"$schema", "category", "scm_url"},
    "strings": {"$schema", "category", "scm_url", "scm_revision", "scm_type", "build_subdirectory", "dicom_support_rule"},
    "lists": {"build_dependencies"},
    "others": {"enabled", "tier"},
}
"""Keys of slicer-extension-catalog-entry-schema-v1.0.1 (Slicer/ExtensionsIndex, schemas/), no others allowed."""


@pytest.mark.parametrize("one", shipped_lists(), ids=lambda one: f"{one.cmake.parent.name}-{one.name}")
def test_what_cmake_lists_is_what_the_tree_has(one):
    assert one.listed == one.tree, "run: python3 Testing/Slicer/shipped_files.py --write"


def test_the_extensions_cmake_follows_the_current_template():
    text = (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")
    assert text.startswith("cmake_minimum_required(VERSION 3.28")
    for name in ("HOMEPAGE", "CONTRIBUTORS", "DESCRIPTION", "ICONURL", "SCREENSHOTURLS", "DEPENDS"):
        assert re.search(rf"^set\(EXTENSION_{name} \S+", text, re.MULTILINE), name
    for line in ("find_package(Slicer REQUIRED)", "include(${Slicer_USE_FILE})", "include(${Slicer_EXTENSION_CPACK})"):
        assert line in text
    assert "WITH_GENERIC_TESTS" in (ROOT / "StructDiffSlicer/CMakeLists.txt").read_text(encoding="utf-8")
    assert "WITH_SUBDIR" in (ROOT / "StructDiffCore/CMakeLists.txt").read_text(encoding="utf-8")


def test_the_index_entry_has_the_schemas_keys_and_types():
    entry = json.loads((ROOT / "StructDiff.json").read_text(encoding="utf-8"))
    assert SCHEMA_KEYS["required"] <= set(entry)
    assert set(entry) <= set().union(*SCHEMA_KEYS.values())
    assert all(isinstance(entry[key], str) for key in SCHEMA_KEYS["strings"] & set(entry))
    assert all(isinstance(name, str) for name in entry["build_dependencies"])
    assert 1 <= entry["tier"] <= 5
    assert "slicer-extension-catalog-entry-schema-v1.0.1" in entry["$schema"]
    assert b"\r" not in (ROOT / "StructDiff.json").read_bytes()


def test_cmake_and_index_entry_agree():
    text = (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")
    entry = json.loads((ROOT / "StructDiff.json").read_text(encoding="utf-8"))
    assert f'"{entry["category"]}"' in text
    assert f"set(EXTENSION_DEPENDS {' '.join(entry['build_dependencies'])})" in text
    assert entry["scm_url"].removesuffix(".git") in text


def test_pictures_that_the_index_names_exist_and_are_png():
    text = (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")
    named = re.findall(r"/main/(\S+?\.png)", text)
    assert len(named) >= 3
    for path in named:
        assert (ROOT / path).read_bytes()[:8] == b"\x89PNG\r\n\x1a\n", path


def test_the_icon_is_128_pixels_square():
    head = (ROOT / "StructDiffSlicer/Resources/Icons/StructDiff.png").read_bytes()[:24]
    assert struct.unpack(">II", head[16:24]) == (128, 128)


def test_every_widget_the_code_names_is_in_a_ui_file_and_every_name_is_used_once():
    names = [name for path in UI.glob("*.ui") for name in widgetsOf(path)]
    doubles = {name for name in names if names.count(name) > 1 and not re.fullmatch(r"label\d+_\d+", name)}
    assert doubles == set()
    code = "\n".join(path.read_text(encoding="utf-8") for path in sources())
    told = set(re.findall(r"\bui\.([a-z]\w+)\b", code))
    assert told <= set(names)


def test_every_button_and_field_of_the_ui_files_is_used_by_the_code():
    code = "\n".join(path.read_text(encoding="utf-8") for path in sources())
    kinds = ("QPushButton", "QCheckBox", "QComboBox", "QSpinBox", "QTableWidget", "QListWidget", "QLineEdit", "ctkSliderWidget")
    kinds += ("qMRMLNodeComboBox", "ctkPathLineEdit")
    for path in UI.glob("*.ui"):
        bound = parameterNames(path)
        for name, kind in widgetsOf(path).items():
            assert kind not in kinds or name in bound or f"ui.{name}" in code, f"{path.name}: {name}"


def parameterNames(path):
    """Widget name -> its SlicerParameterName."""
    found = {}
    for widget in ElementTree.parse(path).iter("widget"):
        for one in widget.findall("property"):
            if one.get("name") == "SlicerParameterName":
                found[widget.get("name")] = one.find("string").text
    return found


def test_every_slicer_parameter_name_is_a_parameter():
    text = (ROOT / "StructDiffSlicer/StructDiffLib/parameters.py").read_text(encoding="utf-8")
    node = next(one for one in ast.parse(text).body if isinstance(one, ast.ClassDef) and one.name == "StructDiffParameters")
    fields = {one.target.id for one in node.body if isinstance(one, ast.AnnAssign)}
    named = {name for path in UI.glob("*.ui") for name in parameterNames(path).values()}
    assert named
    assert named <= fields


@pytest.mark.parametrize("path", sources(), ids=lambda path: path.name)
def test_no_file_imports_third_party_packages_at_its_top(path):
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        names = []
        if isinstance(node, ast.Import):
            names = [one.name for one in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [node.module]
        for name in names:
            assert name.partition(".")[0] in (*OURS, *STANDARD), f"{path.name} imports {name}"
            if name.startswith("StructDiffCore."):
                assert name.split(".")[1] in ("domain", "config"), f"{path.name} imports {name} at its top"


def test_torch_is_never_imported_inside_slicer():
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [one.name for one in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not any(name.partition(".")[0] in ("torch", "monai") for name in names), path.name


SHOWN = {"text", "toolTip", "title", "placeholderText", "windowTitle"}
SAYING = {"Failure", "addItem", "setHorizontalHeaderLabels", "allow", "confirmOkCancelDisplay", "getExistingDirectory"}


@pytest.mark.parametrize("path", sources(), ids=lambda path: path.name)
def test_every_text_that_a_user_sees_can_be_translated(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    wrapped = {id(part) for node in ast.walk(tree) if isTranslated(node) for part in ast.walk(node)}
    bare = [
        f"{path.name}:{text.lineno}: {text.value}"
        for shown in shownExpressions(tree)
        for text in ast.walk(shown)
        if isinstance(text, ast.Constant) and isinstance(text.value, str) and id(text) not in wrapped and isProse(text.value)
    ]
    assert bare == []


def isTranslated(node):
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("_", "translate")


def shownExpressions(tree):
    """What is assigned to a label's text and the like, or given to a function that shows it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and any(isinstance(one, ast.Attribute) and one.attr in SHOWN for one in node.targets):
            yield node.value
        if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) in SAYING:
            yield from node.args


def isProse(text):
    """Two words or more, or a word that begins with a capital letter; not a category such as bad_input."""
    return bool(re.search(r"[A-Za-z]{2,} [A-Za-z]{2,}|^[A-Z][a-z]+$", text))


def test_no_style_sheets():
    for path in (*sources(), *UI.glob("*.ui")):
        assert "styleSheet" not in path.read_text(encoding="utf-8"), path.name


def test_functions_and_files_of_the_module_are_short():
    for path in sources():
        text = path.read_text(encoding="utf-8")
        assert len(text.splitlines()) <= 300, path.name
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                assert node.end_lineno - node.lineno < 60, f"{path.name}: {node.name}"
