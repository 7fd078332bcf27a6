"""The file lists in the CMakeLists.txt of the module and of the core: only what stands in them ships with the extension.

python3 Testing/Slicer/shipped_files.py            says which lists differ from the tree (exit code 1)
python3 Testing/Slicer/shipped_files.py --write    brings the lists up to date
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LIST = r"set\({name}\n(?P<files>(?:  [^\n)]+\n)*)  \)"


@dataclass(frozen=True)
class ShippedList:
    """One ``set(NAME ...)`` of a CMakeLists.txt and the files of the tree that it must name."""

    cmake: Path
    name: str
    tree: tuple[str, ...]

    @property
    def listed(self) -> tuple[str, ...]:
        found = re.search(LIST.format(name=self.name), self.cmake.read_text(encoding="utf-8"))
        assert found, f"{self.cmake} has no list {self.name}"
        return tuple(line.strip() for line in found["files"].splitlines())

    def write(self) -> None:
        lines = "".join(f"  {file}\n" for file in self.tree)
        text = re.sub(LIST.format(name=self.name), f"set({self.name}\n{lines}  )", self.cmake.read_text(encoding="utf-8"))
        self.cmake.write_text(text, encoding="utf-8")


def shipped_lists() -> tuple[ShippedList, ...]:
    """Scripts and resources of the module and of the core, as the tree has them."""
    module, core = ROOT / "StructDiffSlicer", ROOT / "StructDiffCore"
    core_files = _below(core, "", lambda path: path.suffix in (".xz", ".json", ".npz"))
    shipped = [f"../Resources/{file}" for room in ("Models", "Templates") for file in _below(ROOT / "Resources", room)]
    return (
        ShippedList(module / "CMakeLists.txt", "MODULE_PYTHON_SCRIPTS", tuple(_below(module, "", _is_python))),
        ShippedList(module / "CMakeLists.txt", "MODULE_PYTHON_RESOURCES", tuple(_below(module, "Resources"))),
        ShippedList(core / "CMakeLists.txt", "MODULE_PYTHON_SCRIPTS", tuple(_below(core, "", _is_python))),
        ShippedList(core / "CMakeLists.txt", "MODULE_PYTHON_RESOURCES", (*core_files, *shipped)),
    )


def _is_python(path: Path) -> bool:
    return path.suffix == ".py"


def _below(folder: Path, room: str, wanted=lambda path: not path.name.startswith(".")) -> list[str]:
    files = (path for path in (folder / room).rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return sorted(path.relative_to(folder).as_posix() for path in files if wanted(path))


def main(arguments: list[str]) -> int:
    """Compare, or with ``--write`` renew, every list."""
    off = [one for one in shipped_lists() if one.listed != one.tree]
    for one in off:
        if "--write" in arguments:
            one.write()
        else:
            differing = sorted(set(one.listed) ^ set(one.tree)) or ["(only the order)"]
            print(f"{one.cmake.relative_to(ROOT)}: {one.name} differs from the tree: {', '.join(differing)}")
    return 0 if "--write" in arguments else int(bool(off))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
