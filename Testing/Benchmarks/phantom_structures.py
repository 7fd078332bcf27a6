"""The phantoms' structures beside a real scan's: HU, noise spectrum and edge width of heart and great vessels, and 3D views."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from numpy.typing import NDArray
from scipy.stats import wasserstein_distance

from StructDiffCore.domain import Geometry, Label, LabelMap, LabelScheme, StructDiffError
from StructDiffCore.measures.edges import edge_widths
from StructDiffCore.measures.noise import fit_noise
from StructDiffCore.phantom.tissues import Tissue, cardiac_labels
from StructDiffCore.pictures.surface import ANTERIOR, LEFT_OBLIQUE, POSTERIOR, render_surface

STRUCTURES = LabelScheme(
    "heart and great vessels",
    (
        Label(1, "heart", (192, 104, 88)),
        Label(2, "pulmonary artery", (0, 122, 171)),
        Label(3, "aorta", (224, 97, 76)),
    ),
)
BINS_HU = np.arange(-200.0, 1001.0, 20.0)
BLOOD = ("aorta", "pulmonary artery")
"""The structures of one material, where noise can be read; the heart is blood and muscle."""
COLOURS = plt.get_cmap("autumn")(np.linspace(0, 0.7, 4))


@dataclass(frozen=True, eq=False)
class Labelled:
    """A scan (i, j, k) in HU, axes to the left, the back and the head, with the structures of ``STRUCTURES``."""

    name: str
    voxels: NDArray[np.float32]
    labels: NDArray[np.uint8]
    spacing: NDArray[np.float64]

    @property
    def map(self) -> LabelMap:
        """The structures in the world."""
        towards_ras = ((-1.0, 0.0, 0.0), (0.0, -1.0, 0.0), (0.0, 0.0, 1.0))
        return LabelMap(self.labels, Geometry(self.labels.shape, tuple(self.spacing), (0.0, 0.0, 0.0), towards_ras), STRUCTURES)


def structures_of_tissue(tissue: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A phantom's tissues as ``STRUCTURES``: chambers and muscle are the heart, the descending aorta belongs to the aorta."""
    table = np.array([0, 1, 1, 1, 1, 1, 3, 2, 0, 0], np.uint8)
    structures = table[cardiac_labels(tissue)]
    structures[tissue == Tissue.DESCENDING_AORTA] = 3
    return structures


def measured_structures(scan: Labelled) -> dict[str, Any]:
    """HU, edge sigma (mm) and, in the vessels, noise of each structure; None where it is too small to read."""
    edges = edge_widths(scan.voxels, scan.labels, scan.spacing)
    found: dict[str, Any] = {}
    for label in STRUCTURES.labels:
        hu = scan.voxels[scan.labels == label.value]
        counts = np.histogram(hu, BINS_HU)[0] / max(len(hu), 1)
        quartiles = np.percentile(hu, (25, 50, 75)).round(1).tolist() if len(hu) else [None] * 3
        edge = edges.get(label.value)
        found[label.name] = {
            "voxels": len(hu),
            "hu_quartiles": quartiles,
            "histogram": counts.round(5).tolist(),
            "edge_sigma_mm": None if edge is None else round(edge.sigma_mm, 3),
            "edge_profiles": 0 if edge is None else edge.profiles,
            "noise": _noise(scan, label.value) if label.name in BLOOD else None,
        }
    return found


def _noise(scan: Labelled, value: int) -> dict[str, Any] | None:
    try:
        model = fit_noise(scan.voxels, np.where(scan.labels == value, np.uint8(value), np.uint8(0)), scan.spacing)
    except StructDiffError:
        return None
    return {
        "amplitude_hu": round(model.amplitude_hu, 2),
        "per_mm": list(model.frequency_per_mm),
        "plane_power": list(model.plane_power),
    }


def compared_structures(real: Labelled, phantoms: Sequence[Labelled]) -> dict[str, Any]:
    """Measures of all, and per structure how far the phantoms' HU lie from the real ones: earth mover's distance in HU.

    ``shape_distance_hu`` is the distance after both medians are set equal: the contrast bolus' level is drawn at random.
    """
    differences = {}
    for label in STRUCTURES.labels:
        here = real.voxels[real.labels == label.value]
        others = [p.voxels[p.labels == label.value] for p in phantoms]
        level = [float(wasserstein_distance(here, other)) for other in others]
        shape = [float(wasserstein_distance(here - np.median(here), other - np.median(other))) for other in others]
        differences[label.name] = {"distance_hu": level, "shape_distance_hu": shape}
    return {
        "real": measured_structures(real),
        "phantoms": [measured_structures(p) for p in phantoms],
        "hu_differences": differences,
    }


def report_structures(result: dict[str, Any]) -> None:
    """One line per structure: edge sigma, HU and noise, real / median phantom."""
    for name, real in result["real"].items():
        fakes = [p[name] for p in result["phantoms"]]
        edge = _median([f["edge_sigma_mm"] for f in fakes])
        spread = _median([f["hu_quartiles"][2] - f["hu_quartiles"][0] for f in fakes])
        own = real["hu_quartiles"][2] - real["hu_quartiles"][0]
        gap = {key: float(np.median(values)) for key, values in result["hu_differences"][name].items()}
        text = f"{name}: edge sigma {real['edge_sigma_mm']} / {edge:.2f} mm, HU median {real['hu_quartiles'][1]:.0f} / "
        text += f"{_median([f['hu_quartiles'][1] for f in fakes]):.0f}, quartiles apart {own:.0f} / {spread:.0f}, HU distance "
        text += f"{gap['distance_hu']:.0f}, of shape {gap['shape_distance_hu']:.0f}"
        if real["noise"]:
            noise = _median([f["noise"]["amplitude_hu"] for f in fakes if f["noise"]])
            text += f", noise {real['noise']['amplitude_hu']:.1f} / {noise:.1f} HU"
        print("    " + text)


def _median(values: Sequence[float | None]) -> float:
    seen = [v for v in values if v is not None]
    return float(np.median(seen)) if seen else float("nan")


def draw_structures(real: Labelled, phantoms: Sequence[Labelled], result: dict[str, Any], path: Path) -> None:
    """3D views of the real mask and of two phantoms', then HU histograms, noise spectra and edges by structure."""
    shown = [real, *phantoms[:2]]
    figure = plt.figure(figsize=(15, 11.5))
    rows = figure.add_gridspec(2, 1, height_ratios=(1.35, 1), hspace=0.1)
    views = rows[0].subgridspec(2, 6, wspace=0.02, hspace=0.02)
    for place, scan in enumerate(shown):
        _views([figure.add_subplot(views[n // 2, 2 * place + n % 2]) for n in range(4)], scan)
    axes = [figure.add_subplot(part) for part in rows[1].subgridspec(2, 3, wspace=0.2, hspace=0.42)]
    for axis, label in zip(axes[:3], STRUCTURES.labels):
        _histograms(axis, label.name, result)
    for axis, name in zip(axes[3:5], BLOOD):
        _spectra(axis, name, result)
    _edges(axes[5], result)
    figure.savefig(path, dpi=80, bbox_inches="tight")
    plt.close(figure)


def _views(axes: Sequence[Any], scan: Labelled) -> None:
    for axis, camera in zip(axes, (ANTERIOR, LEFT_OBLIQUE, POSTERIOR)):
        axis.imshow(render_surface(scan.map, camera, pixels=300).rgb)
        axis.set_title(f"{scan.name} {camera.name}".replace("left anterior ", ""), fontsize=8, pad=2)
    middle = int(np.argmax((scan.labels == 1).sum(axis=(0, 1))))
    axes[3].imshow(scan.voxels[:, :, middle].T, cmap="gray", vmin=-200, vmax=700)
    for label in STRUCTURES.labels:
        mask = (scan.labels[:, :, middle] == label.value).T
        if mask.any():
            axes[3].contour(mask, levels=[0.5], colors=[np.array(label.colour) / 255], linewidths=0.9)
    axes[3].set_title("largest slice of the heart", fontsize=8, pad=2)
    for axis in axes:
        axis.axis("off")


def _histograms(axis: Any, name: str, result: dict[str, Any]) -> None:
    centres = 0.5 * (BINS_HU[1:] + BINS_HU[:-1])
    for colour, entry in zip(COLOURS, result["phantoms"]):
        axis.plot(centres, entry[name]["histogram"], color=colour, lw=0.9)
    axis.plot(centres, result["real"][name]["histogram"], "k-", lw=2)
    shape = np.median(result["hu_differences"][name]["shape_distance_hu"])
    axis.set_title(f"HU in the {name} (black: real); distance of shape {shape:.0f} HU", fontsize=8)
    axis.tick_params(labelsize=7)


def _spectra(axis: Any, name: str, result: dict[str, Any]) -> None:
    title = f"noise power in the {name}, cycles per mm"
    for colour, entry in zip(COLOURS, result["phantoms"]):
        if entry[name]["noise"]:
            axis.plot(entry[name]["noise"]["per_mm"], entry[name]["noise"]["plane_power"], color=colour, lw=0.9)
    real = result["real"][name]["noise"]
    if real:
        axis.plot(real["per_mm"], real["plane_power"], "k-", lw=2)
        title += f"; real {real['amplitude_hu']:.0f} HU"
    axis.set_title(title, fontsize=8)
    axis.tick_params(labelsize=7)


def _edges(axis: Any, result: dict[str, Any]) -> None:
    names = [label.name for label in STRUCTURES.labels]
    for place, name in enumerate(names):
        for colour, entry in zip(COLOURS, result["phantoms"]):
            axis.plot(place, entry[name]["edge_sigma_mm"] or np.nan, ".", color=colour, ms=9)
        axis.plot(place, result["real"][name]["edge_sigma_mm"] or np.nan, "k_", ms=24, mew=3)
    axis.set_xticks(range(len(names)), names, fontsize=8)
    axis.set_xlim(-0.5, len(names) - 0.5)
    axis.set_title("edge sigma by structure, mm (bar: real)", fontsize=8)
    axis.tick_params(labelsize=7)
