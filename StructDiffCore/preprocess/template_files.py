"""Image-mask pairs in a folder, by their names: NAME/image.* with mask.*, NAME.* with NAME_mask.*, or a data set's layout."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from StructDiffCore.domain import ImageMaskPair, StructDiffError
from StructDiffCore.io.cases import read_case
from StructDiffCore.io.files import read_pair, write_label_map
from StructDiffCore.io.integrity import ENDINGS
from StructDiffCore.io.layouts import Case, cases, stem

MASK_SUFFIXES = ("_mask", "_labels", "_label", "_seg")
IMAGE_SUFFIXES = ("_image", "_ct")
"""An image may carry one of them, or none."""


@dataclass(frozen=True)
class PairFiles:
    """Where a pair lies; ``case`` where a data set's layout found it and its labels have to be translated."""

    id: str
    image: Path
    masks: tuple[Path, ...]
    case: Case | None = None
    problem: str = ""
    """Why it cannot be a template, as far as the names tell."""

    def read(self) -> ImageMaskPair:
        """The pair on one grid; StructDiffError where it is damaged or the grids differ."""
        if self.problem:
            raise StructDiffError(self.problem, "complete the folder")
        return read_case(self.case).pair if self.case is not None else read_pair(self.image, self.masks[0])

    def mask_file(self, folder: Path) -> Path:
        """One mask file in the template's scheme: its own, or a translated copy written into ``folder``."""
        if self.case is None:
            return self.masks[0]
        path = folder / f"{self.id}{MASK_SUFFIXES[0]}.seg.nrrd"
        write_label_map(self.read().mask, path)
        return path


def pairs_in(folder: Path) -> list[PairFiles]:
    """All pairs of a folder, sorted by id, the incomplete ones with their problem; StructDiffError if it is no folder."""
    if not folder.is_dir():
        raise StructDiffError(f"{folder} is no folder", "give a folder with templates")
    found = _of_data_set(folder)
    known = {path for pair in found for path in (pair.image, *pair.masks)}
    named = (*_pairs_in_subfolders(folder), *_pairs_side_by_side(folder))
    found += [pair for pair in named if known.isdisjoint((pair.image, *pair.masks))]
    return sorted(found, key=lambda pair: pair.id)


def _pairs_in_subfolders(folder: Path) -> Iterator[PairFiles]:
    for place in sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")):
        volumes = _volumes(place)
        image = next((path for path in volumes if stem(path) == "image"), None)
        mask = next((path for path in volumes if stem(path) == "mask"), None)
        if image is not None and mask is not None:
            yield PairFiles(place.name, image, (mask,))
        elif image is not None:
            yield PairFiles(place.name, image, (), problem=f"{place} holds an image but no mask.*")
        elif mask is not None:
            yield PairFiles(place.name, place, (mask,), problem=f"{place} holds a mask but no image.*")


def _pairs_side_by_side(folder: Path) -> Iterator[PairFiles]:
    volumes = _volumes(folder)
    masks = {_without(stem(path), MASK_SUFFIXES): path for path in volumes if _is_mask(path)}
    for path in (path for path in volumes if not _is_mask(path)):
        name = _without(stem(path), IMAGE_SUFFIXES)
        mask = masks.pop(name, None)
        if mask is not None:
            yield PairFiles(name, path, (mask,))
        else:
            yield PairFiles(name, path, (), problem=f"{path.name} has no {name}{MASK_SUFFIXES[0]}.* beside it")
    for name, mask in masks.items():
        yield PairFiles(name, mask, (mask,), problem=f"{mask.name} has no image {name}.* beside it")


def _is_mask(path: Path) -> bool:
    return path.name.lower().endswith(".seg.nrrd") or stem(path).lower().endswith(MASK_SUFFIXES)


def _without(name: str, suffixes: tuple[str, ...]) -> str:
    """The name without the suffix it carries, if any."""
    return next((name[: -len(suffix)] for suffix in suffixes if name.lower().endswith(suffix)), name)


def _of_data_set(folder: Path) -> list[PairFiles]:
    try:
        return [PairFiles(case.id, case.image, tuple(m.path for m in case.masks), case) for case in cases(folder)]
    except (StructDiffError, OSError):
        return []


def _volumes(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_file() and path.name.lower().endswith(ENDINGS))
