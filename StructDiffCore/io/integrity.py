"""Is a file whole, and of a kind we read? Damage that ITK passes over in silence is found here."""

from __future__ import annotations

import contextlib
import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path

from StructDiffCore.domain import StructDiffError

from .metaimage_header import metaimage_bytes, refuse_bad_spacing
from .nifti import uncompressed_size

ENDINGS = (".seg.nrrd", ".nrrd", ".nii.gz", ".nii", ".mha")
DETACHED = (".mhd", ".nhdr", ".hdr", ".img", ".raw")
_HEADER_LIMIT = 1 << 20


def ending_of(path: Path) -> str:
    """Which of ENDINGS a file name carries; refuses others."""
    name = path.name.lower()
    for ending in ENDINGS:
        if name.endswith(ending):
            return ending
    if name.endswith(DETACHED):
        raise StructDiffError(f"{path} keeps header and voxels apart", "convert it to one file (.nrrd, .nii.gz or .mha)")
    if name.endswith((".dcm", ".ima")):
        raise StructDiffError(f"{path} is one DICOM slice", "give the folder of the series")
    raise StructDiffError(f"{path} is no volume file", f"give one of {', '.join(ENDINGS)} or a DICOM folder")


def refuse_missing(path: Path) -> None:
    """Raise StructDiffError if there is no such file, it is empty or its ending is none we read."""
    if not path.is_file():
        raise StructDiffError(f"{path} {'is a folder' if path.is_dir() else 'does not exist'}", "check the path")
    ending_of(path)
    if path.stat().st_size == 0:
        raise StructDiffError(f"{path} is empty", "export or copy it again")


def refuse_damaged(path: Path) -> None:
    """Raise StructDiffError if the file is cut or damaged, as far as can be told without ITK; reads it once."""
    with naming(path):
        ending = ending_of(path)
        if ending in (".nii", ".nii.gz"):
            _refuse_short(*uncompressed_size(path))
        elif ending == ".mha":
            _refuse_short(*metaimage_bytes(path))
        else:
            _check_nrrd(path)


@contextlib.contextmanager
def naming(path: Path) -> Iterator[None]:
    """Put the file's path in front of a refusal, and turn errors of the system and of decompression into refusals."""
    try:
        yield
    except StructDiffError as error:
        fact = error.fact if str(path) in error.fact else f"{path}: {error.fact}"
        raise StructDiffError(fact, error.remedy, error.category) from None
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise StructDiffError(f"{path} is cut or damaged ({error})", "export or copy it again") from None
    except OSError as error:
        raise StructDiffError(f"{path} cannot be read ({error.strerror or error})", "check its permissions") from None


def _refuse_short(found: int, needed: int) -> None:
    if found < needed:
        raise StructDiffError(f"the file is cut: {found} of {needed} bytes are there", "export or copy it again")


def _check_nrrd(path: Path) -> None:
    """ITK itself refuses cut NRRD voxels; here only what would lead it to another file or past a bad spacing."""
    with path.open("rb") as stream:
        start = stream.read(_HEADER_LIMIT).replace(b"\r\n", b"\n")
    if not start.startswith(b"NRRD"):
        raise StructDiffError("the file does not begin with a NRRD header", "give a NRRD file, or rename it to what it is")
    for line in start.partition(b"\n\n")[0].decode("latin-1").lower().splitlines():
        field, _, value = line.partition(":")
        if field in ("data file", "datafile"):
            raise StructDiffError("the voxels lie in another file", "convert it to one file (.nrrd, .nii.gz or .mha)")
        if field == "spacings":
            placed = [s for s in value.split() if s != "nan"]  # nan marks an axis without a place, such as layers
            refuse_bad_spacing(" ".join(placed) if len(placed) >= 3 else value)
