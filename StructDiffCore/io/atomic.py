"""Atomic writing: a file appears whole under its name, or not at all, and the old one survives a failure."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

from StructDiffCore.domain import StructDiffError


@contextlib.contextmanager
def written(path: str | Path) -> Iterator[Path]:
    """A temporary path beside ``path`` (same ending) to write into; flushed to disk and renamed when the block ends well.

    Raises StructDiffError if the folder is missing or not writable or the disk is full; nothing is left behind then.
    """
    final = Path(path).absolute()
    _refuse_folder(final)
    temporary = final.with_name(f".{uuid.uuid4().hex[:8]}.partial{_ending(final)}")
    try:
        yield temporary
        _flush(temporary)
        os.replace(temporary, final)
        _flush(final.parent)
    except OSError as error:
        raise StructDiffError(f"{final} could not be written ({error.strerror or error})", _remedy(final)) from None
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_text(path: str | Path, text: str) -> None:
    """Write a UTF-8 text file atomically."""
    with written(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _ending(path: Path) -> str:
    """What tells a writer the format; no more of the name, because niftilib takes "1.img.nii.gz" for two files."""
    return "".join(path.suffixes[-2:]) if path.suffix == ".gz" else path.suffix


def _refuse_folder(final: Path) -> None:
    if final.is_dir():
        raise StructDiffError(f"{final} is a folder", "give the name of a file in it")
    if not final.parent.is_dir():
        raise StructDiffError(f"the folder {final.parent} does not exist", "make it first or choose another place")
    if not os.access(final.parent, os.W_OK | os.X_OK):
        raise StructDiffError(f"no permission to write into {final.parent}", "choose another folder")


def _remedy(final: Path) -> str:
    return f"check the free space and the permissions of {final.parent}"


def _flush(path: Path) -> None:
    """Force a file or a folder's entries onto the disk (folders cannot be opened on every system)."""
    if path.is_dir() and os.name == "nt":
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
