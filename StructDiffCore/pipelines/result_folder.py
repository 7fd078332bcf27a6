"""ResultFolder: the output folder of a job. Results appear whole, under their final name, or not at all."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from StructDiffCore.config.messages import CANCEL_FILE
from StructDiffCore.domain import StructDiffError

PARTIAL_SUFFIX = ".partial"
TOLERATED = (CANCEL_FILE, "job.json", "job.log")
"""What a caller such as Slicer may have put into the folder before the job starts."""


@dataclass(frozen=True)
class ResultFolder:
    """A folder that was checked with ``checked`` and is written through ``opened``."""

    path: Path

    @classmethod
    def checked(cls, out: str | Path, replaces: str = "", tolerated: tuple[str, ...] = ()) -> ResultFolder:
        """Refuse, before anything is written, a folder that is a file, not empty or not writable.

        An earlier result of the verb ``replaces`` (its manifest says so) does not count: it will be replaced. Files called
        ``tolerated`` do not count either: the verb goes on from them.
        """
        if not str(out):
            raise StructDiffError("no output folder given", "give --out DIR")
        path = Path(out).expanduser().absolute()
        if path.exists() and not path.is_dir():
            raise StructDiffError(f"the output folder {path} is a file", "choose another --out")
        found = [name for name in _foreign(path, replaces) if name not in tolerated] if path.is_dir() else []
        if found:
            raise StructDiffError(
                f"the output folder {path} is not empty (it holds {found[0]})", "choose another --out or empty it"
            )
        _refuse_unwritable(path)
        return cls(path)

    def need_space(self, needed_bytes: int) -> None:
        """Refuse a disk without room for the results."""
        free = shutil.disk_usage(_existing_ancestor(self.path)).free
        if free < needed_bytes:
            raise StructDiffError(
                f"{self.path} has {free / 2**20:.0f} MiB free, the results need about {needed_bytes / 2**20:.0f} MiB",
                "free some space or choose another --out",
            )

    @contextlib.contextmanager
    def opened(self) -> Iterator[Path]:
        """Make the folder and clear what a killed run left; on failure remove it again if nothing was finished."""
        made = not self.path.exists()
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StructDiffError(f"{self.path} cannot be made ({error.strerror})", "choose another --out") from None
        self._clear_partials()
        try:
            yield self.path
        except BaseException:
            self._clear_partials()
            if made and not any(self.path.iterdir()):
                self.path.rmdir()
            raise

    @contextlib.contextmanager
    def result(self, name: str) -> Iterator[Path]:
        """A temporary sibling of ``path / name`` to write into; renamed to it when the block ends well."""
        partial = self.path / f".{name}.{os.getpid()}{PARTIAL_SUFFIX}"
        partial.mkdir()
        try:
            yield partial
            self._swap_in(partial, self.path / name)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise

    @contextlib.contextmanager
    def previews(self) -> Iterator[Path]:
        """A hidden folder for pictures of the running work, removed at the end; a killed run's is cleared like its results."""
        place = self.path / f".preview.{os.getpid()}{PARTIAL_SUFFIX}"
        place.mkdir(exist_ok=True)
        try:
            yield place
        finally:
            shutil.rmtree(place, ignore_errors=True)

    def _swap_in(self, partial: Path, final: Path) -> None:
        """Rename, moving an earlier result out of the way first."""
        if final.exists():
            aside = partial.with_name(f".replaced-{final.name}.{os.getpid()}{PARTIAL_SUFFIX}")
            os.replace(final, aside)
            os.replace(partial, final)
            shutil.rmtree(aside, ignore_errors=True)
        else:
            os.replace(partial, final)

    def refuse_cancelled(self) -> None:
        """Raise ``cancelled`` if somebody put the cancel file into the folder."""
        if (self.path / CANCEL_FILE).exists():
            raise StructDiffError(
                f"cancelled by the file {self.path / CANCEL_FILE}", "remove that file before the next run", "cancelled"
            )

    def _clear_partials(self) -> None:
        for leftover in self.path.glob(f".*{PARTIAL_SUFFIX}"):
            if _writer(leftover.name) == os.getpid() or not psutil.pid_exists(_writer(leftover.name)):
                shutil.rmtree(leftover, ignore_errors=True)


def _foreign(path: Path, replaces: str) -> list[str]:
    """Names in the folder that are neither tolerated, nor left by a killed run, nor a result that may be replaced."""
    try:
        names = sorted(entry.name for entry in path.iterdir())
    except PermissionError:
        raise StructDiffError(f"the output folder {path} cannot be read", "choose another --out") from None
    _refuse_other_run(path, names)
    names = [name for name in names if name not in TOLERATED and not name.endswith(PARTIAL_SUFFIX)]
    return [name for name in names if not replaces or _verb_of(path / name) != replaces]


def _verb_of(result: Path) -> str | None:
    """The verb that a result folder's manifest names."""
    try:
        return str(json.loads((result / "manifest.json").read_text(encoding="utf-8"))["verb"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _writer(partial_name: str) -> int:
    """Process id in ".sample-000.1234.partial", 0 where there is none."""
    digits = partial_name.removesuffix(PARTIAL_SUFFIX).rpartition(".")[2]
    return int(digits) if digits.isdigit() else 0


def _refuse_other_run(path: Path, names: list[str]) -> None:
    for name in names:
        if name.endswith(PARTIAL_SUFFIX) and _writer(name) not in (0, os.getpid()) and psutil.pid_exists(_writer(name)):
            raise StructDiffError(f"process {_writer(name)} is writing into {path}", "wait for it or choose another --out")


def _existing_ancestor(path: Path) -> Path:
    while not path.exists():
        path = path.parent
    return path


def _refuse_unwritable(path: Path) -> None:
    ancestor = _existing_ancestor(path)
    if not ancestor.is_dir():
        raise StructDiffError(f"{ancestor} is a file, so {path} cannot be made", "choose another --out")
    if not os.access(ancestor, os.W_OK | os.X_OK):
        raise StructDiffError(f"no permission to write into {ancestor}", "choose another --out")
