"""The library of templates: what each image-mask pair of some folders is, at a glance; bad ones are listed with the reason."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage

from StructDiffCore.config.resources import resources_folder
from StructDiffCore.domain import ImageMaskPair, LabelScheme, StructDiffError, Triple
from StructDiffCore.io.atomic import write_text
from StructDiffCore.io.png import png_bytes
from StructDiffCore.io.schemes import scheme_from

from .sanity import plain_warnings
from .template_files import PairFiles, pairs_in
from .thumbnail import thumbnail

SHIPPED = "shipped"
CACHE_FORM = "1"
"""Changes whenever a cached description would mean something else."""


@dataclass(frozen=True)
class LabelSummary:
    """One structure of a template and its brightness."""

    value: int
    name: str
    group: str
    thin: bool
    volume_mm3: float
    median_hu: float
    p10_hu: float
    p90_hu: float


@dataclass(frozen=True)
class TemplateFacts:
    """What is known of a pair once it has been read."""

    scheme: LabelScheme
    shape: tuple[int, int, int]
    spacing: Triple
    """mm."""
    labels: tuple[LabelSummary, ...]
    thumbnail_png: bytes
    """Three planes with outlines; empty where the pair could not be read."""
    warnings: tuple[str, ...]

    @classmethod
    def of(cls, pair: ImageMaskPair) -> TemplateFacts:
        """Look at a pair."""
        geometry = pair.geometry
        picture = png_bytes(thumbnail(pair))
        return cls(pair.mask.scheme, geometry.shape, geometry.spacing, _labels(pair), picture, tuple(plain_warnings(pair)))

    def as_dict(self) -> dict[str, Any]:
        """JSON form."""
        return {**asdict(self), "thumbnail_png": base64.b64encode(self.thumbnail_png).decode("ascii")}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> TemplateFacts:
        ni, nj, nk = content["shape"]
        si, sj, sk = content["spacing"]
        labels = tuple(LabelSummary(**label) for label in content["labels"])
        picture = base64.b64decode(content["thumbnail_png"])
        return cls(scheme_from(content["scheme"]), (ni, nj, nk), (si, sj, sk), labels, picture, tuple(content["warnings"]))


NOTHING = TemplateFacts(LabelScheme("none", ()), (1, 1, 1), (1.0, 1.0, 1.0), (), b"", ())


@dataclass(frozen=True)
class TemplateEntry:
    """One line of the library: files, facts, and why it cannot be used where it cannot."""

    source: str
    """ "shipped" or the folder it was found in."""
    files: PairFiles
    facts: TemplateFacts = NOTHING
    problem: str = ""
    """Empty for a usable template."""

    @property
    def id(self) -> str:
        return self.files.id

    @property
    def image(self) -> Path:
        return self.files.image

    @property
    def mask(self) -> Path:
        """The first mask file; ``mask_file`` gives one in the template's own scheme."""
        return self.files.masks[0] if self.files.masks else self.files.image

    @property
    def scheme(self) -> LabelScheme:
        return self.facts.scheme

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.facts.shape

    @property
    def spacing(self) -> Triple:
        return self.facts.spacing

    @property
    def labels(self) -> tuple[LabelSummary, ...]:
        return self.facts.labels

    @property
    def thumbnail_png(self) -> bytes:
        return self.facts.thumbnail_png

    @property
    def warnings(self) -> tuple[str, ...]:
        return self.facts.warnings

    @property
    def usable(self) -> bool:
        return not self.problem

    def read(self) -> ImageMaskPair:
        """The pair itself."""
        return self.files.read()

    def mask_file(self, folder: Path) -> Path:
        """One mask file in the template's scheme: its own, or a translated copy written into ``folder``."""
        return self.files.mask_file(folder)

    def line(self) -> str:
        """ "digital-heart: 112x112x112 at 0.9 mm, 9 labels, aorta 350 HU (310 to 390)", or the problem."""
        if self.problem:
            return f"{self.id}: cannot be used, {self.problem}"
        shape = "x".join(str(n) for n in self.shape)
        thick = [label for label in self.labels if not label.thin] or list(self.labels)
        shown = max(thick, key=lambda label: label.median_hu)
        bright = f"{shown.name} {shown.median_hu:.0f} HU ({shown.p10_hu:.0f} to {shown.p90_hu:.0f})"
        return f"{self.id}: {shape} at {spacing_words(self.spacing)}, {len(self.labels)} labels, {bright}"


def spacing_words(spacing: Triple) -> str:
    """ "0.8 mm" for cubes, "0.35 x 0.35 x 0.5 mm" else."""
    told = [f"{s:.3g}" for s in spacing]
    return f"{told[0]} mm" if len(set(told)) == 1 else f"{' x '.join(told)} mm"


def template_library(folders: Sequence[Path] = (), shipped: bool = True, cache: Path | None = None) -> list[TemplateEntry]:
    """All pairs of the shipped folder and the given ones; whatever is wrong with one of them is told in its ``problem``.

    ``cache``: a folder where descriptions are kept by the digest of the files' content, so that each pair is read once.
    """
    places = [(SHIPPED, resources_folder() / "Templates")] if shipped else []
    places += [(str(folder), Path(folder)) for folder in folders]
    return [entry for source, folder in places for entry in _entries(source, folder, cache)]


def shipped_mask_to_edit() -> Path:
    """The sample mask that is meant to be edited (another digital heart than the shipped template)."""
    return resources_folder() / "Templates" / "digital-heart" / "to_edit.seg.nrrd"


def _entries(source: str, folder: Path, cache: Path | None) -> list[TemplateEntry]:
    try:
        found = pairs_in(folder)
    except (StructDiffError, OSError) as error:
        return [TemplateEntry(source, PairFiles(folder.name, folder, ()), problem=str(error))]
    return [_entry(source, files, cache) for files in found]


def _entry(source: str, files: PairFiles, cache: Path | None) -> TemplateEntry:
    if files.problem:
        return TemplateEntry(source, files, problem=files.problem)
    try:
        return TemplateEntry(source, files, _facts(files, cache))
    except (StructDiffError, OSError, MemoryError, ValueError) as error:
        return TemplateEntry(source, files, problem=str(error) or type(error).__name__)


def _facts(files: PairFiles, cache: Path | None) -> TemplateFacts:
    if cache is None:
        return TemplateFacts.of(files.read())
    path = cache / f"{_digest(files)}.json"
    try:
        return TemplateFacts.from_dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError, StructDiffError):  # not there yet, or damaged: look at the pair again
        facts = TemplateFacts.of(files.read())
    cache.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps(facts.as_dict()))
    return facts


def _digest(files: PairFiles) -> str:
    """SHA-256 of the content of all files of a pair and of what its values mean."""
    digest = hashlib.sha256(CACHE_FORM.encode())
    for path in (files.image, *files.masks):
        with path.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    if files.case is not None:
        digest.update(repr([sorted(mask.table.items()) for mask in files.case.masks]).encode())
    return digest.hexdigest()


def _labels(pair: ImageMaskPair) -> tuple[LabelSummary, ...]:
    boxes = ndimage.find_objects(pair.mask.voxels.astype(np.int32))
    return tuple(_summary(pair, value, boxes[value - 1]) for value in pair.mask.present)


def _summary(pair: ImageMaskPair, value: int, box: tuple[slice, ...]) -> LabelSummary:
    label = pair.mask.scheme[value]
    inside = pair.image.voxels[box][pair.mask.voxels[box] == value]
    p10, median, p90 = (round(float(p), 1) for p in np.percentile(inside, (10, 50, 90)))
    volume = round(float(inside.size * pair.geometry.voxel_volume_mm3), 2)
    return LabelSummary(value, label.name, label.group, label.thin, volume, median, p10, p90)
