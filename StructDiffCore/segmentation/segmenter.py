"""Segmenter: a MONAI network that reads a CT and names its voxels."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from monai.inferers import SlidingWindowInferer
from monai.networks import nets
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from StructDiffCore.domain import LabelMap, LabelScheme, StructDiffError, Volume
from StructDiffCore.preprocess.grids import resample_labels, resample_volume

HU_WINDOW = (-200.0, 800.0)
"""Contrast CT of the heart: below lies fat and lung, above calcium."""

NETWORKS: dict[str, Callable[[int], nn.Module]] = {
    "SegResNet": lambda classes: nets.SegResNet(3, 16, 1, classes, blocks_down=(1, 1, 2, 2), blocks_up=(1, 1, 1)),
    "UNet": lambda classes: nets.UNet(3, 1, classes, (32, 64, 128, 256), (2, 2, 2), num_res_units=1),
    "DynUNet": lambda classes: nets.DynUNet(3, 1, classes, [3] * 4, [1, 2, 2, 2], [2] * 3, filters=[16, 32, 64, 128]),
}


@dataclass(frozen=True)
class SegmenterSettings:
    """What rebuilds a segmenter around its weights."""

    network: str = "SegResNet"
    """One of NETWORKS."""
    label_names: tuple[str, ...] = ()
    """Names of the classes 1..n in the scheme."""
    label_values: tuple[int, ...] = ()
    """Their values in a label map."""
    spacing_mm: float = 0.8
    """Isotropic voxel size the network works at."""
    patch: int = 64
    """Edge of a sliding window in voxels."""

    def __post_init__(self) -> None:
        if self.network not in NETWORKS:
            raise StructDiffError(f"unknown segmenter '{self.network}'", f"choose one of {sorted(NETWORKS)}")


class Segmenter:
    """A network with the label scheme and the voxel size it was trained for."""

    def __init__(self, settings: SegmenterSettings, scheme: LabelScheme) -> None:
        self.settings = settings
        self.scheme = scheme
        self.network = NETWORKS[settings.network](len(settings.label_values) + 1)

    @classmethod
    def untrained(cls, scheme: LabelScheme, network: str = "SegResNet", spacing_mm: float = 0.8, patch: int = 64) -> Segmenter:
        names = tuple(label.name for label in scheme.labels)
        return cls(SegmenterSettings(network, names, scheme.values, spacing_mm, patch), scheme)

    def predict(self, image: Volume) -> LabelMap:
        """The mask the segmenter sees, on the image's own grid (computed at the segmenter's spacing)."""
        grid = image.geometry.with_spacing((self.settings.spacing_mm,) * 3)
        classes = self._classes(resample_volume(image, grid).voxels)
        values = np.array((0, *self.settings.label_values), np.uint16)
        return resample_labels(LabelMap(values[classes], grid, self.scheme), image.geometry)

    @torch.inference_mode()
    def _classes(self, voxels: NDArray[np.float32]) -> NDArray[np.int64]:
        self.network.eval()
        infer = SlidingWindowInferer((self.settings.patch,) * 3, sw_batch_size=1, overlap=0.25, mode="gaussian")
        with torch.autocast("cpu", torch.bfloat16):
            scores = infer(windowed(torch.from_numpy(np.array(voxels)))[None, None], self.network)
        return scores[0].argmax(0).numpy()

    def save(self, path: Path) -> None:
        """Half-precision safetensors with what rebuilds the segmenter in the metadata."""
        weights = {name: tensor.detach().half().contiguous() for name, tensor in self.network.state_dict().items()}
        save_file(weights, path, {"system": "segmenter", "settings": json.dumps(asdict(self.settings))})

    @classmethod
    def load(cls, path: Path, scheme: LabelScheme) -> Segmenter:
        """Rebuild from a file written by :meth:`save`; refuses other files and other schemes."""
        try:
            with safe_open(path, "pt") as file:
                metadata = file.metadata() or {}
                weights = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118 (no mapping)
        except (OSError, SafetensorError) as error:
            raise StructDiffError(
                f"{path} holds no segmenter weights ({error})", "give a .safetensors file of a segmenter"
            ) from None
        if metadata.get("system") != "segmenter":
            raise StructDiffError(f"{path} holds weights of '{metadata.get('system')}'", "give weights of a segmenter")
        content = json.loads(metadata["settings"])
        content.update(label_names=tuple(content["label_names"]), label_values=tuple(content["label_values"]))
        settings = SegmenterSettings(**content)
        if scheme.unknown(settings.label_values):
            raise StructDiffError(f"{path} was trained on labels {settings.label_values}, the scheme '{scheme.name}' differs")
        segmenter = cls(settings, scheme)
        segmenter.network.load_state_dict(weights)
        return segmenter


def windowed(hu: Tensor) -> Tensor:
    """HU to [-1, 1] inside HU_WINDOW, clipped outside."""
    low, high = HU_WINDOW
    return ((hu - low) / (high - low)).clamp(0, 1) * 2 - 1
