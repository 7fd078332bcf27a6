"""Segmenter: a MONAI network that reads a CT and names its voxels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from monai.inferers import SlidingWindowInferer
from monai.networks import nets
from numpy.typing import NDArray
from torch import Tensor, nn

from StructDiffCore.domain import LabelMap, LabelScheme, StructDiffError, Volume
from StructDiffCore.preprocess.grids import resample_labels, resample_volume
from StructDiffCore.systems.weights_file import read_weights, write_weights

SYSTEM = "segmenter"
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
        object.__setattr__(self, "label_names", tuple(self.label_names))
        object.__setattr__(self, "label_values", tuple(self.label_values))

    @classmethod
    def from_dict(cls, content: Mapping[str, object]) -> SegmenterSettings:
        """Settings from their JSON form; unknown fields are refused."""
        try:
            return cls(**content)  # type: ignore[arg-type]
        except TypeError as error:
            raise StructDiffError(f"the segmenter's settings do not fit this version ({error})", "train it again") from None


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

    def save_weights(self, path: Path) -> str:
        """Half-precision safetensors with what rebuilds the segmenter in the header; returns the SHA-256."""
        return write_weights(Path(path), SYSTEM, self.network.state_dict(), asdict(self.settings))

    @classmethod
    def load_weights(cls, path: Path, scheme: LabelScheme) -> Segmenter:
        """Read weights; refuses pickles, other systems' files, damaged ones and those of another label scheme."""
        file = read_weights(Path(path), SYSTEM)
        settings = SegmenterSettings.from_dict(file.settings)
        if scheme.unknown(settings.label_values):
            raise StructDiffError(
                f"{path} was trained on the labels {list(settings.label_values)}, "
                f"the scheme '{scheme.name}' has {list(scheme.values)}",
                "give weights of a segmenter of this scheme",
            )
        segmenter = cls(settings, scheme)
        segmenter.network.load_state_dict({name: tensor.float() for name, tensor in file.tensors.items()})
        return segmenter


def windowed(hu: Tensor) -> Tensor:
    """HU to [-1, 1] inside HU_WINDOW, clipped outside."""
    low, high = HU_WINDOW
    return ((hu - low) / (high - low)).clamp(0, 1) * 2 - 1
