"""Every Qt, ctk, qMRML and slicer.* name that the module uses is in the list made from the real sources, with its kind."""

import json
from pathlib import Path

import pytest
from usedNames import codeUses, slicerPythonUses, uiProperties

UPSTREAM = json.loads(Path(__file__).with_name("upstream_names.json").read_text(encoding="utf-8"))
CLASSES = UPSTREAM["classes"]
NOT_LISTED = {"QClipboard": {"setText"}}
"""Classes reached through one call only."""
LISTS = {"set": ("writable",), "property": ("properties", "methods"), "call": ("methods",), "signal": ("signals",)}


def known(owner, name, kind):
    """Whether the class or one of its bases has the name in the list of that kind."""
    found = CLASSES.get(owner)
    if found is None:
        return name in NOT_LISTED.get(owner, ())
    if any(name in found.get(which, ()) for which in LISTS[kind]):
        return True
    return any(known(base, name, kind) for base in found["bases"])


def test_the_list_says_what_it_was_made_from():
    assert UPSTREAM["versions"]["Qt"].startswith("5.15")
    assert {"Slicer", "CTK", "Qt"} <= set(UPSTREAM["versions"])


def test_every_property_of_a_ui_file_is_real():
    assert [use for use in uiProperties() if not known(use.owner, use.name, "set")] == []


def test_every_name_of_a_widget_in_the_code_is_real():
    uses = list(codeUses())
    assert len(uses) > 200
    assert [use for use in uses if use.kind != "class" and not known(use.owner, use.name, use.kind)] == []


def test_every_class_of_qt_and_ctk_in_the_code_is_listed():
    assert sorted({use.name for use in codeUses() if use.kind == "class"} - set(CLASSES)) == []


def test_every_function_of_slicers_python_is_real():
    offered = {module: set(names) for module, names in UPSTREAM["python"].items()}
    offered["slicer.parameterNodeWrapper"] |= offered["slicer.parameterNodeWrapper.validators"]
    unknown = [use for use in slicerPythonUses() if use[1] in offered and use[2] not in offered[use[1]]]
    assert unknown == []


@pytest.mark.parametrize(("owner", "name", "kind"), [("QLabel", "caption", "set"), ("QPushButton", "pressed", "call")])
def test_the_check_finds_a_name_that_does_not_exist(owner, name, kind):
    assert not known(owner, name, kind)


def test_stand_ins_have_no_name_that_the_original_lacks(desktop_widgets):
    for kind in desktop_widgets.KINDS:
        own = {name for name in vars(kind) if not name.startswith("_") and name[0].islower()} - {"resizeEvent", "sizeHint"}
        own -= {"minimumSizeHint", "staticMetaObject"}
        real = [name for name in own if not any(known(kind.__name__, name, use) for use in LISTS)]
        assert real == [], kind.__name__


@pytest.fixture
def desktop_widgets(runtime):
    import desktop

    desktop.install()
    from desktop import widgets

    return widgets
