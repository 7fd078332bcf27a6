"""Pairs: the template that a run looks like, and the image-mask pairs that runs made."""

import re
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Source:
    """A template to run with: nodes of the scene or paths of the library."""

    image: object
    mask: object
    name: str
    shape: tuple = ()
    """Voxels of the image, where known."""

    @classmethod
    def of(cls, entry):
        """A usable entry of the template library."""
        return cls(str(entry.image), entry, entry.id, tuple(entry.shape))

    def maskFor(self, folder):
        """The node, or the path of a mask in the template's own scheme, written into ``folder`` where it must be."""
        return str(self.mask.mask_file(folder)) if hasattr(self.mask, "mask_file") else self.mask


@dataclass(eq=False)
class MadePair:
    """A finished sample: its folder on the disk and, where it was loaded, its nodes' ids."""

    name: str
    folder: str
    seed: int
    topology: str
    quality: str
    off: list = field(default_factory=list)
    imageId: str = ""
    """Id of the volume node that shows it; empty where none does."""
    nodes: object = None
    """The ScenePair of a pair that came with the scene and has no folder."""

    @property
    def caseName(self):
        """A name for files: letters, digits and hyphens of the pair's name, and its run, so that no two are alike."""
        run = Path(self.folder).parent.parent.name if self.folder else "from-scene"
        return "_".join(re.sub(r"[^A-Za-z0-9]+", "-", part).strip("-") for part in (self.name, run))

    @property
    def passed(self):
        return self.topology == "pass" and self.quality == "pass"


def pairOf(sample, name, count):
    """A sample of a ``finished`` event as a MadePair."""
    folder = sample["folder"]
    return MadePair(
        name if count == 1 else f"{name}, {Path(folder).name}",
        folder,
        int(sample.get("seed", 0)),
        sample.get("topology", ""),
        sample.get("quality", ""),
        list(sample.get("off", ())),
    )


def pairOfScene(found):
    """A ScenePair as a MadePair; without a manifest no verdict is known, and an export asks for a reason."""
    told, image = found.manifest, found.imageNode
    return MadePair(
        image.GetName(),
        "",
        int(told.get("seed", 0)),
        told.get("topology", {}).get("verdict", ""),
        told.get("quality", {}).get("verdict", ""),
        imageId=image.GetID(),
        nodes=found,
    )
