"""Staging: many files and folders appear together under their final names, or none does."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from StructDiffCore.domain import StructDiffError


@contextlib.contextmanager
def staged(out: Path, replaced: Sequence[str] = ()) -> Iterator[Path]:
    """A hidden folder inside ``out`` to write into; its content moves to ``out`` when the block ends well.

    A folder that ``out`` does not have yet moves as a whole, else its files do. Files of the names ``replaced`` take the place
    of older ones, after all others; any other file that is there already is refused. On failure ``out`` is as it was before.
    """
    made = not out.exists()
    partial = out / f".export.{os.getpid()}.partial"
    try:
        partial.mkdir(parents=True)
        yield partial
        _publish(partial, out, replaced)
    except OSError as error:
        raise StructDiffError(f"{out} could not be written ({error.strerror or error})", "check free space and rights") from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        if made and out.is_dir() and not any(out.iterdir()):
            out.rmdir()


def is_hidden(path: Path) -> bool:
    """Whether this is a staging folder, perhaps one that a killed process left, or what a file browser keeps for itself."""
    return path.name.startswith(".")


def _publish(partial: Path, out: Path, replaced: Sequence[str]) -> None:
    units = list(_units(partial, out))
    fresh = [(source, target) for source, target in units if target.name not in replaced]
    for _, target in fresh:
        if target.exists():
            raise StructDiffError(f"{target} exists already", "choose another --out or another name")
    moved: list[Path] = []
    try:
        for source, target in fresh:
            os.rename(source, target)
            moved.append(target)
        for source, target in units:
            if target.name in replaced:
                os.replace(source, target)
    except BaseException:
        for target in moved:
            shutil.rmtree(target) if target.is_dir() else target.unlink()
        raise


def _units(partial: Path, out: Path) -> Iterator[tuple[Path, Path]]:
    """What moves in one step: files, and folders that are not there yet."""
    for source in sorted(partial.iterdir()):
        target = out / source.name
        if source.is_dir() and target.is_dir():
            yield from _units(source, target)
        else:
            yield source, target
