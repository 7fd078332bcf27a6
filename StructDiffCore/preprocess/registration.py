"""Rigid then affine registration of two label fields by their signed distances.

SimpleITK's metrics compare two scalar images; with one distance map per shared label a least-squares fit needs no painted
grey values, takes many labels at once and sees a misfit from afar (as Chamfer matching, Borgefors
1988, in both directions).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

from .label_field import LabelField

LEVER_MM = 50.0
"""Turns matrix entries and radians into millimetres of movement at a heart's size."""
STRAIN_WEIGHT_MM = 10.0
"""Residual per unit of strain: keeps what the labels do not determine near a rigid motion."""
TURN_WEIGHT_MM = 2.0
"""Residual per radian of the rigid motion: a tube alone does not say how far it is turned about itself."""
SPARSE, DENSE = 80, 600
"""Surface points per label and direction."""

Matrix = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class _Misfit:
    """How far two fields' surfaces lie apart under a motion from target world to template world."""

    target: LabelField
    template: LabelField
    weights: Mapping[int, float]
    forward: Mapping[int, tuple[Matrix, Matrix]]
    """Group -> target surface positions (n, 3) and their own signed distances (n,)."""
    backward: Mapping[int, tuple[Matrix, Matrix]]
    """Group -> template surface positions and their own signed distances."""
    tolerance_mm: float
    """Beyond it a misfit counts linearly, not squared."""

    def __call__(self, motion: Matrix) -> Matrix:
        """Residuals in mm, robust and weighted so that each label's squares sum to its weight times their mean."""
        back = _inverse(motion)
        parts = []
        for group, weight in self.weights.items():
            for points, field, matrix in (
                (self.forward[group], self.template, motion),
                (self.backward[group], self.target, back),
            ):
                if len(points[0]):
                    apart = field.distance(group, moved(points[0], matrix)) - points[1]
                    parts.append(np.sqrt(weight / len(apart)) * _robust(apart, self.tolerance_mm))
        return np.concatenate(parts) if parts else np.zeros(1)

    def cost(self, motion: Matrix) -> float:
        """Sum of the squared residuals."""
        return float(np.sum(self(motion) ** 2))

    def seen(self, motion: Matrix) -> _Misfit:
        """The same misfit without the points that the motion takes out of the other's field of view."""
        back = _inverse(motion)
        forward = {g: _kept(p, self.template.in_view(moved(p[0], motion))) for g, p in self.forward.items()}
        backward = {g: _kept(p, self.target.in_view(moved(p[0], back))) for g, p in self.backward.items()}
        return _Misfit(self.target, self.template, self.weights, forward, backward, self.tolerance_mm)


def register(target: LabelField, template: LabelField, weights: Mapping[int, float]) -> tuple[Matrix, Matrix]:
    """The rigid and the affine 4x4 matrix from target world to template world (RAS+, mm).

    ``weights``: group -> how much it counts.
    """
    sparse = _misfit(target, template, weights, SPARSE, tolerance_mm=20.0)
    unturned, turned = first_guesses(target, template)
    starts = [*unturned, *sorted(turned, key=sparse.cost)[:2]]
    tried = [_fit_rigid(sparse, start, 15) for start in starts]
    best = min(tried, key=lambda motion: sparse.cost(motion) * (1 + _angle(motion)) ** 2)
    dense = _misfit(target, template, weights, DENSE, tolerance_mm=6.0)
    rigid = _fit_rigid(dense.seen(best), best, 30)
    affine = _fit_affine(dense.seen(rigid), rigid, 15)
    return rigid, _fit_affine(dense.seen(affine), affine, 30)


def _angle(motion: Matrix) -> float:
    """Rotation in radians. Patients lie alike, so of two equal fits the one that turns less is right."""
    return float(np.linalg.norm(Rotation.from_matrix(motion[:3, :3]).as_rotvec()))


def _inverse(motion: Matrix) -> Matrix:
    return np.asarray(np.linalg.inv(motion), np.float64)


def moved(points: Matrix, matrix: Matrix) -> Matrix:
    """Positions (n, 3) under a 4x4 matrix."""
    return points @ matrix[:3, :3].T + matrix[:3, 3]


def _misfit(target: LabelField, template: LabelField, weights: Mapping[int, float], count: int, tolerance_mm: float) -> _Misfit:
    def sampled(field: LabelField) -> dict[int, tuple[Matrix, Matrix]]:
        points = {group: field.surface_points(group, count) for group in weights}
        return {group: (p, field.distance(group, p)) for group, p in points.items()}

    return _Misfit(target, template, weights, sampled(target), sampled(template), tolerance_mm)


def _kept(points: tuple[Matrix, Matrix], keep: NDArray[np.bool_]) -> tuple[Matrix, Matrix]:
    return (points[0][keep], points[1][keep])


def _robust(apart: Matrix, tolerance: float) -> Matrix:
    """Signed square root of the pseudo-Huber loss."""
    return np.sign(apart) * tolerance * np.sqrt(2 * (np.sqrt(1 + (apart / tolerance) ** 2) - 1))


def first_guesses(target: LabelField, template: LabelField) -> tuple[list[Matrix], list[Matrix]]:
    """Motions without rotation (none, the centroids brought together) and with one (between the labels' centroids, axes)."""
    inside = [(target.inside_points(g), template.inside_points(g)) for g in target.distances]
    inside = [(a, b) for a, b in inside if len(a) and len(b)]
    if not inside:
        return [np.eye(4)], []
    ours, theirs = (np.array([pair[n].mean(axis=0) for pair in inside]) for n in (0, 1))
    share = np.array([np.sqrt(min(len(a), len(b))) for a, b in inside])
    centre, their_centre = np.average(ours, axis=0, weights=share), np.average(theirs, axis=0, weights=share)
    rotations = _axis_rotations(np.concatenate([a for a, _ in inside]), np.concatenate([b for _, b in inside]))
    if len(inside) >= 3:
        rotations.append(Rotation.align_vectors(theirs - their_centre, ours - centre, weights=share)[0].as_matrix())
    unturned = [np.eye(4), _about(np.eye(3), centre, their_centre)]
    return unturned, [_about(rotation, centre, their_centre) for rotation in rotations]


def _axis_rotations(ours: Matrix, theirs: Matrix) -> list[Matrix]:
    """The four proper rotations between the principal axes of two clouds of points."""
    axes, their_axes = (np.linalg.eigh(np.cov(points.T) + 1e-6 * np.eye(3))[1] for points in (ours, theirs))
    signs = [np.diag(s) for s in np.array(np.meshgrid([1, -1], [1, -1], [1, -1])).reshape(3, -1).T]
    candidates = [np.asarray(their_axes @ sign @ axes.T, np.float64) for sign in signs]
    return [rotation for rotation in candidates if np.linalg.det(rotation) > 0]


def _about(linear: Matrix, centre: Matrix, image_of_centre: Matrix) -> Matrix:
    """The 4x4 matrix x -> linear (x - centre) + image_of_centre."""
    matrix = np.eye(4)
    matrix[:3, :3] = linear
    matrix[:3, 3] = image_of_centre - linear @ centre
    return matrix


def _fit_rigid(misfit: _Misfit, start: Matrix, evaluations: int) -> Matrix:
    centre = _centre(misfit)
    image = moved(centre[None], start)[0]

    def motion(p: Matrix) -> Matrix:
        turn = Rotation.from_rotvec(p[:3] / LEVER_MM).as_matrix()
        return _about(turn @ start[:3, :3], centre, image + p[3:])

    def residuals(p: Matrix) -> Matrix:
        turn = Rotation.from_matrix(motion(p)[:3, :3]).as_rotvec()
        return np.concatenate([misfit(motion(p)), TURN_WEIGHT_MM * turn])

    return motion(_solve(residuals, 6, evaluations))


def _fit_affine(misfit: _Misfit, start: Matrix, evaluations: int) -> Matrix:
    centre = _centre(misfit)
    image = moved(centre[None], start)[0]

    def motion(p: Matrix) -> Matrix:
        return _about((np.eye(3) + p[:9].reshape(3, 3) / LEVER_MM) @ start[:3, :3], centre, image + p[9:])

    def residuals(p: Matrix) -> Matrix:
        linear = motion(p)[:3, :3]
        strain = 0.5 * (linear.T @ linear - np.eye(3))
        return np.concatenate([misfit(motion(p)), STRAIN_WEIGHT_MM * strain.ravel()])

    return motion(_solve(residuals, 12, evaluations))


def _solve(residuals: Callable[[Matrix], Matrix], size: int, evaluations: int) -> Matrix:
    return least_squares(
        residuals, np.zeros(size), diff_step=1e-3, max_nfev=evaluations, ftol=1e-5, xtol=1e-5, tr_solver="lsmr"
    ).x


def _centre(misfit: _Misfit) -> Matrix:
    points = [p for p, _ in misfit.forward.values() if len(p)]
    return (
        np.concatenate(points).mean(axis=0) if points else misfit.target.view.to_world(np.asarray(misfit.target.view.shape) / 2)
    )
