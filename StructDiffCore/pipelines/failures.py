"""What went wrong, as a category: out of memory, full disk, missing package, bad input or a fault of ours."""

from __future__ import annotations

import errno
import os
import sys
import tempfile
import time
import traceback
from pathlib import Path

from StructDiffCore.config.messages import Event
from StructDiffCore.domain import StructDiffError

DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
NO_WRITING = (errno.EACCES, errno.EPERM, errno.EROFS)
BAD_NAME = (errno.ENAMETOOLONG, errno.ENOTDIR, errno.ELOOP)
ALLOCATOR_WORDS = ("not enough memory", "out of memory", "can't allocate memory", "defaultcpuallocator")


def refusal_of(error: BaseException) -> StructDiffError:
    """The error in the protocol's words; what we do not recognise is ``internal``."""
    if isinstance(error, StructDiffError):
        return error
    if _is_out_of_memory(error):
        return StructDiffError(
            "the machine ran out of memory", "use a smaller --tile, close other programs or crop the mask", "out_of_memory"
        )
    if isinstance(error, ModuleNotFoundError) and error.name and not error.name.startswith("StructDiffCore"):
        package = error.name.partition(".")[0]
        return StructDiffError(f"the Python package '{package}' is missing", "install StructDiff again", "missing_dependency")
    if isinstance(error, OSError) and error.errno in DISK_FULL:
        return StructDiffError(f"the disk is full{_where(error)}; nothing half-written was left", "free some space", "internal")
    if isinstance(error, OSError) and error.errno in NO_WRITING:
        return StructDiffError(f"no permission{_where(error)}", "choose another folder or change its permissions")
    if isinstance(error, OSError) and error.errno in BAD_NAME:
        return StructDiffError(f"{error.strerror}{_where(error)}", "give another path")
    return StructDiffError(f"internal error ({type(error).__name__}: {error})", "", "internal")


def _is_out_of_memory(error: BaseException) -> bool:
    """Python's, CUDA's and torch's CPU allocator's ways to say it."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    return isinstance(error, RuntimeError) and any(words in str(error).lower() for words in ALLOCATOR_WORDS)


def _where(error: OSError) -> str:
    return f" at {error.filename}" if error.filename else ""


def traceback_log(error: BaseException, refusal: StructDiffError) -> Event:
    """A ``failed`` event for a fault of ours: the traceback goes into a file that the line names."""
    text = "".join(traceback.format_exception(error))
    path = Path(tempfile.gettempdir()) / f"structdiff-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.log"
    try:
        path.write_text(f"python {sys.version}\n{text}", encoding="utf-8")
        remedy = refusal.remedy or f"the traceback lies in {path}; please report it, or run again with --debug"
    except OSError:
        remedy = refusal.remedy or "run again with --debug to see the traceback"
    payload = {"category": "internal", "message": refusal.fact, "remedy": remedy, "traceback": text}
    return Event("failed", payload)
