"""Segmenter: a MONAI network that reads a CT and names its voxels."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.inferers import SlidingWindowInferer
from numpy.typing import NDArray
from torch import Tensor

from StructDiffCore.domain import Label, LabelMap, LabelScheme, StructDiffError, Volume
from StructDiffCore.io.schemes import scheme_from
from StructDiffCore.preprocess.grids import resample_labels, resample_volume
from StructDiffCore.systems.weights_file import read_weights, write_weights

from .networks import NETWORKS

SYSTEM = "segmenter"
HU_WINDOW = (-200.0, 800.0)
"""Contrast CT of the heart: below lies fat and lung, above calcium."""


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
    scheme: Mapping[str, Any] | None = None
    """The label scheme in its file form; files of earlier versions have none."""

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

    def own_scheme(self) -> LabelScheme:
        """What the classes mean, as the file says it."""
        if self.scheme is not None:
            return scheme_from(self.scheme)
        return LabelScheme("segmenter", tuple(Label(v, name) for v, name in zip(self.label_values, self.label_names)))


class Segmenter:
    """A network with the label scheme and the voxel size it was trained for."""

    def __init__(self, settings: SegmenterSettings, scheme: LabelScheme) -> None:
        self.settings = settings
        self.scheme = scheme
        self.network = NETWORKS[settings.network](len(settings.label_values) + 1)

    @classmethod
    def untrained(cls, scheme: LabelScheme, network: str = "SegResNet", spacing_mm: float = 0.8, patch: int = 64) -> Segmenter:
        names = tuple(label.name for label in scheme.labels)
        content = json.loads(json.dumps(asdict(scheme)))
        return cls(SegmenterSettings(network, names, scheme.values, spacing_mm, patch, content), scheme)

    def on(self, device: torch.device | str) -> Segmenter:
        """This segmenter, its network moved to a device."""
        self.network.to(device)
        return self

    def predict(self, image: Volume, before_call: Callable[[], None] | None = None) -> LabelMap:
        """The mask the segmenter sees, on the image's own grid (computed at the segmenter's spacing).

        ``before_call`` is called before every network call; what it raises ends the prediction.
        """
        grid = image.geometry.with_spacing((self.settings.spacing_mm,) * 3)
        classes = self.classes_of(resample_volume(image, grid).voxels, before_call)
        values = np.array((0, *self.settings.label_values), np.uint16)
        return resample_labels(LabelMap(values[classes], grid, self.scheme), image.geometry)

    @torch.inference_mode()
    def classes_of(self, voxels: NDArray, before_call: Callable[[], None] | None = None) -> NDArray[np.int64]:
        """Class numbers (i, j, k), 0 = background, of HU voxels at the segmenter's spacing, window by window."""
        self.network.eval()
        device = next(self.network.parameters()).device

        def scores_of(window: Tensor) -> Any:
            if before_call is not None:
                before_call()
            return self.network(window)

        infer = SlidingWindowInferer((self.settings.patch,) * 3, sw_batch_size=1, overlap=0.25, mode="gaussian")
        image = windowed(torch.from_numpy(np.array(voxels, np.float32)).to(device))[None, None]
        with torch.autocast(device.type, torch.bfloat16):
            scores = infer(image, scores_of)
        return scores[0].max(0).indices.cpu().numpy()  # argmax over the first axis takes four times as long on a processor

    def save_weights(self, path: Path) -> str:
        """Half-precision safetensors with what rebuilds the segmenter in the header; returns the SHA-256."""
        return write_weights(Path(path), SYSTEM, self.network.state_dict(), asdict(self.settings))

    @classmethod
    def load_weights(cls, path: Path, scheme: LabelScheme | None = None) -> Segmenter:
        """Read weights; refuses pickles, other systems' files, damaged ones and those of another label scheme.

        Without a scheme, the file's own is taken.
        """
        file = read_weights(Path(path), SYSTEM)
        settings = SegmenterSettings.from_dict(file.settings)
        if scheme is not None:
            _refuse_other_scheme(path, settings, scheme)
        segmenter = cls(settings, scheme or settings.own_scheme())
        try:
            segmenter.network.load_state_dict({name: tensor.float() for name, tensor in file.tensors.items()})
        except RuntimeError:
            raise StructDiffError(f"{path} holds no weights of a {settings.network}", "train it again") from None
        return segmenter


def _refuse_other_scheme(path: Path, settings: SegmenterSettings, scheme: LabelScheme) -> None:
    """Every class must have its value and its name in the scheme."""
    known = {label.value: label.name.lower() for label in scheme.labels}
    for value, name in zip(settings.label_values, settings.label_names):
        if known.get(value) != name.lower():
            theirs = f"'{known[value]}'" if value in known else "no label"
            raise StructDiffError(
                f"{path} was trained on the labels {list(settings.label_values)} with {value} = '{name}'; "
                f"the scheme '{scheme.name}' has {theirs} there",
                "give weights of a segmenter of this scheme",
            )


def windowed(hu: Tensor) -> Tensor:
    """HU to [-1, 1] inside HU_WINDOW, clipped outside."""
    low, high = HU_WINDOW
    return ((hu - low) / (high - low)).clamp(0, 1) * 2 - 1
