"""Writes upstream_names.json: what PythonQt offers of Qt 5.15, CTK and Slicer to the names that StructDiffSlicer uses.

    python3 make_upstream_names.py --slicer GIT --ctk GIT --qt-python PYTHON

GIT: a clone of github.com/Slicer/Slicer and of github.com/commontk/CTK (bare is enough; HEAD is read). PYTHON: an interpreter
with PyQt5, whose Qt is the 5.15 that Slicer 5.12 is built with. Headers are parsed for what PythonQt wraps of a QObject:
properties, signals, public slots, Q_INVOKABLE methods, registered enumerations.
"""

from __future__ import annotations

import argparse
import ast
import json
import re
import subprocess
from pathlib import Path

LIST = Path(__file__).with_name("upstream_names.json")
CTK_HEADERS = {name: f"Libs/Widgets/{name}.h" for name in ("ctkCollapsibleButton", "ctkSliderWidget", "ctkPathLineEdit")}
SLICER_HEADERS = {
    "qMRMLWidget": "Libs/MRML/Widgets/qMRMLWidget.h",
    "qMRMLNodeComboBox": "Libs/MRML/Widgets/qMRMLNodeComboBox.h",
    "qMRMLSegmentEditorWidget": "Modules/Loadable/Segmentations/Widgets/qMRMLSegmentEditorWidget.h",
    "qSlicerCoreApplication": "Base/QTCore/qSlicerCoreApplication.h",
    "qSlicerApplication": "Base/QTGUI/qSlicerApplication.h",
}
SLICER_PYTHON = {
    "slicer.util": "Base/Python/slicer/util.py",
    "slicer.packaging": "Base/Python/slicer/packaging.py",
    "slicer.i18n": "Base/Python/slicer/i18n.py",
    "slicer.ScriptedLoadableModule": "Base/Python/slicer/ScriptedLoadableModule.py",
    "slicer.parameterNodeWrapper": "Base/Python/slicer/parameterNodeWrapper/wrapper.py",
    "slicer.parameterNodeWrapper.validators": "Base/Python/slicer/parameterNodeWrapper/validators.py",
}
QT_CLASSES = [
    "QAbstractButton",
    "QApplication",
    "QByteArray",
    "QCheckBox",
    "QComboBox",
    "QCursor",
    "QFileDialog",
    "QFrame",
    "QGroupBox",
    "QHeaderView",
    "QIcon",
    "QLabel",
    "QLineEdit",
    "QListWidget",
    "QListWidgetItem",
    "QPixmap",
    "QPlainTextEdit",
    "QProgressBar",
    "QPushButton",
    "QSettings",
    "QSpinBox",
    "QTabWidget",
    "QTableWidget",
    "QTableWidgetItem",
    "QTimer",
    "QUiLoader",
    "QVBoxLayout",
    "QWidget",
    "Qt",
]
FROM_QT = """
import json, sys
from PyQt5 import QtCore, QtGui, QtWidgets
def found(name):
    kind = next((getattr(part, name) for part in (QtCore, QtGui, QtWidgets) if hasattr(part, name)), None)
    if kind is None:
        return {"bases": ["QObject"], "methods": ["load"]}  # QUiLoader: not in PyQt5
    names = [one for one in dir(kind) if not one.startswith("_")]
    meta = getattr(kind, "staticMetaObject", None)
    if meta is None:
        return {"bases": [], "methods": names}
    properties = [meta.property(n).name() for n in range(meta.propertyCount())]
    writable = [meta.property(n).name() for n in range(meta.propertyCount()) if meta.property(n).isWritable()]
    ways = [meta.method(n) for n in range(meta.methodCount())]
    signals = sorted({str(one.name(), "ascii") for one in ways if one.methodType() == QtCore.QMetaMethod.Signal})
    return {"bases": [], "properties": properties, "writable": writable, "signals": signals,
            "methods": sorted(set(names) - set(properties) - set(signals))}
print(json.dumps({"version": QtCore.QT_VERSION_STR, "classes": {name: found(name) for name in sys.argv[1:]}}))
"""


def main() -> None:
    """Read the sources, write the list."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("slicer", "ctk", "qt-python"):
        parser.add_argument(f"--{name}", required=True)
    given = parser.parse_args()
    qt = json.loads(subprocess.check_output([given.qt_python, "-c", FROM_QT, *QT_CLASSES], text=True))
    classes = {name: sorted_lists(found) for name, found in qt["classes"].items()}
    for repository, headers in ((given.ctk, CTK_HEADERS), (given.slicer, SLICER_HEADERS)):
        classes |= {name: sorted_lists(class_of(source(repository, path), name)) for name, path in headers.items()}
    python = {name: python_names(source(given.slicer, path)) for name, path in SLICER_PYTHON.items()}
    versions = {
        "Qt": qt["version"],
        "CTK": revision(given.ctk),
        "Slicer": f"{slicer_version(given.slicer)}, {revision(given.slicer)}",
    }
    text = json.dumps({"versions": versions, "classes": classes, "python": python}, indent=1)
    LIST.write_text(re.sub(r"\n {3,}", "", text) + "\n", encoding="utf-8")


def source(repository: str, path: str) -> str:
    """A file at HEAD."""
    return subprocess.check_output(["git", "-C", repository, "show", f"HEAD:{path}"], text=True)


def revision(repository: str) -> str:
    """Commit and its day."""
    return subprocess.check_output(["git", "-C", repository, "log", "-1", "--format=%h of %cs"], text=True).strip()


def slicer_version(repository: str) -> str:
    """The version that the sources are on the way to."""
    text = source(repository, "CMakeLists.txt")
    return ".".join(re.search(rf'set\(Slicer_VERSION_{part} "(\d+)"\)', text)[1] for part in ("MAJOR", "MINOR", "PATCH"))


def class_of(header: str, name: str) -> dict[str, list[str]]:
    """What PythonQt wraps of a class, from its header."""
    header = re.sub(r"//[^\n]*|/\*.*?\*/", "", header, flags=re.DOTALL)
    begin = re.search(rf"class\s+(?:\w+_EXPORT\s+)?{name}\s*:\s*public\s+(\w+)[^{{]*{{", header)
    body = header[begin.end() :]
    properties = re.findall(r"Q_PROPERTY\(\s*(?:const\s+)?[\w:<>*]+\s+\*?(\w+)([^)]*)\)", body)
    found = {
        "bases": [begin[1]],
        "properties": [one for one, _rest in properties],
        "writable": [one for one, rest in properties if "WRITE" in rest],
        "signals": [],
        "methods": re.findall(r"Q_INVOKABLE\s+[\w\s:<>*&,]*?\b(\w+)\s*\(", body) + enumerators(body),
    }
    for access, text in sections(body):
        into = {"signals": "signals", "Q_SIGNALS": "signals", "public slots": "methods", "public Q_SLOTS": "methods"}.get(access)
        if into:
            found[into] += re.findall(r"\b(\w+)\s*\([^;{}]*\)\s*(?:const)?\s*(?:override)?\s*(?:;|\{)", text)
    return found


def enumerators(body: str) -> list[str]:
    """Names of enumeration values, PythonQt's class attributes."""
    blocks = re.findall(r"\benum\s+\w+\s*\{([^}]*)\}", body)
    return [word for block in blocks for word in re.findall(r"\b([A-Za-z]\w*)\s*(?:=|,|$)", block)]


def sections(body: str) -> list[tuple[str, str]]:
    """(access, text) of a class body."""
    parts = re.split(r"\b((?:public|protected|private)(?:\s+(?:slots|Q_SLOTS))?|signals|Q_SIGNALS)\s*:(?!:)", body)
    return [(" ".join(access.split()), text) for access, text in zip(parts[1::2], parts[2::2])]


def python_names(text: str) -> list[str]:
    """Functions, classes and their methods at the top of a Python file, and the names it imports."""
    names: list[str] = []
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.append(node.name)
        if isinstance(node, ast.ClassDef):
            names += [f"{node.name}.{one.name}" for one in node.body if isinstance(one, ast.FunctionDef)]
    return sorted(names)


def sorted_lists(found: dict[str, list[str]]) -> dict[str, list[str]]:
    """Each list in order and without doubles."""
    return {key: sorted(set(names)) for key, names in found.items()}


if __name__ == "__main__":
    main()
