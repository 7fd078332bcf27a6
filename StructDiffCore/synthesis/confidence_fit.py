"""From a standard deviation to a confidence: isotonic fit to P(|error| > X HU), measured on phantoms, stored with the weights."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import isotonic_regression

from StructDiffCore.config.presets import SSV_PATHS
from StructDiffCore.config.resources import resources_folder
from StructDiffCore.domain import ConfidenceMap, StructDiffError, Volume

from .confidence_worth import Finding
from .measured_at import MeasuredAt

FITS = "confidence-fits.json"
SHIPPED_FITS = "confidence-fits*.json"
"""One file per number of steps that was measured."""
METHODS_OF_PATHS = ("tails", "full", "noises")
"""Methods whose map depends on the number of paths; all fits are of ``SSV_PATHS``."""


@dataclass(frozen=True, eq=False)
class ConfidenceFit:
    """A falling curve of confidence over standard deviation; straight between its points, level beyond them."""

    threshold_hu: float
    """X: an error above it is gross."""
    deviation_hu: NDArray[np.float64]
    """(n,) rising."""
    confidence: NDArray[np.float64]
    """(n,) P(|error| <= X), never rising."""

    def __post_init__(self) -> None:
        deviation, confidence = (np.asarray(a, float) for a in (self.deviation_hu, self.confidence))
        if deviation.ndim != 1 or deviation.shape != confidence.shape or not deviation.size:
            raise StructDiffError("a confidence fit needs one confidence per deviation", "make the fit again")
        rising, falling = (np.diff(deviation) > 0).all(), (np.diff(confidence) <= 1e-12).all()
        if not (rising and falling and confidence.min() >= 0 and confidence.max() <= 1):
            raise StructDiffError("a confidence fit must fall within [0, 1] as the deviation rises", "make the fit again")
        object.__setattr__(self, "deviation_hu", deviation)
        object.__setattr__(self, "confidence", confidence)

    @classmethod
    def of_counts(cls, deviation_hu: ArrayLike, voxels: ArrayLike, gross: ArrayLike, threshold_hu: float) -> ConfidenceFit:
        """Pool-adjacent-violators over bins of rising deviation: (n,) each, voxels in the bin and how many are gross."""
        sd, count, wrong = (np.asarray(a, float) for a in (deviation_hu, voxels, gross))
        filled = count > 0
        if not filled.any():
            raise StructDiffError("no voxels to fit a confidence to", "give at least one case")
        rates = isotonic_regression(wrong[filled] / count[filled], weights=count[filled], increasing=True).x
        return cls(threshold_hu, sd[filled], np.clip(1.0 - rates, 0.0, 1.0))

    def of(self, deviation: Volume) -> ConfidenceMap:
        """The confidence map of a standard deviation in HU."""
        found = np.interp(deviation.voxels, self.deviation_hu, self.confidence)
        return ConfidenceMap(found.astype(np.float32), deviation.geometry)

    def as_dict(self) -> dict[str, Any]:
        """JSON form."""
        told = ((self.deviation_hu, 4), (self.confidence, 6))
        sd, confidence = ([round(float(n), digits) for n in numbers] for numbers, digits in told)
        return {"threshold_hu": self.threshold_hu, "deviation_hu": sd, "confidence": confidence}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> ConfidenceFit:
        return cls(float(content["threshold_hu"]), np.array(content["deviation_hu"]), np.array(content["confidence"]))


def pooled(counts: Sequence[Sequence[ArrayLike]]) -> list[NDArray[np.float64]]:
    """Counts of several cases added up."""
    return [np.sum([np.asarray(case[n], float) for case in counts], axis=0) for n in range(len(counts[0]))]


@dataclass(frozen=True, eq=False)
class Measured:
    """What was measured of one method's map on samples made alike."""

    fit: ConfidenceFit
    findings: tuple[Finding, ...] = ()


def write_fits(path: Path, measured: Mapping[str, Measured], at: MeasuredAt, cases: int, head_sha256: str = "") -> None:
    """By method, for samples made ``at``, as JSON; ``cases`` phantoms made the fits, the head's map that error head."""
    content = {
        "measured_at": at.as_dict(),
        "head_sha256": head_sha256,
        "cases": cases,
        "fits": {name: found.fit.as_dict() for name, found in measured.items()},
        "findings": {name: [asdict(finding) for finding in found.findings] for name, found in measured.items()},
    }
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def read_fits(path: Path, at: MeasuredAt) -> dict[str, Measured]:
    """What a file tells by method; nothing where it is absent or was measured on samples made otherwise."""
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if MeasuredAt.from_dict(content["measured_at"]) != at:
            return {}
        return {name: _measured(fit, content["findings"][name]) for name, fit in content["fits"].items()}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StructDiffError(f"{path} holds no confidence fits ({error})", "make them again, or remove the file") from None


def _measured(fit: Mapping[str, Any], findings: Sequence[Mapping[str, Any]]) -> Measured:
    return Measured(ConfidenceFit.from_dict(fit), tuple(Finding(**finding) for finding in findings))


def shipped_measure(at: MeasuredAt, method: str, paths: int = SSV_PATHS) -> Measured | None:
    """What is shipped for samples made ``at`` and this method's map over so many paths; None where it was never measured."""
    if method in METHODS_OF_PATHS and paths != SSV_PATHS:
        return None
    files = sorted((resources_folder() / "Models").glob(SHIPPED_FITS))
    return next((found[method] for found in (read_fits(path, at) for path in files) if method in found), None)


def shipped_fit(at: MeasuredAt, method: str, paths: int = SSV_PATHS) -> ConfidenceFit | None:
    """The fit of ``shipped_measure``."""
    found = shipped_measure(at, method, paths)
    return None if found is None else found.fit
