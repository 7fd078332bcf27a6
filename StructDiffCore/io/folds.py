"""Folds of a data set in which relatives stay on one side: cases that share a template or a mask."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

FOLDS = 5
"""As nnU-Net counts them."""


def families(ancestors: Mapping[str, Iterable[str]]) -> list[list[str]]:
    """Cases grouped so that any two that share an ancestor, also through others, are together; the largest group first."""
    family_of: dict[str, set[str]] = {}
    claimed: dict[str, set[str]] = {}
    for case in sorted(ancestors):
        family = {case}
        for ancestor in ancestors[case]:
            family |= claimed.get(ancestor, set())
        for member in family:
            family_of[member] = family
            claimed.update(dict.fromkeys(ancestors[member], family))
    unique = {id(family): sorted(family) for family in family_of.values()}
    return sorted(unique.values(), key=lambda family: (-len(family), family))


def fold_of_case(ancestors: Mapping[str, Iterable[str]]) -> dict[str, int]:
    """Fold of every case: families, the largest first, each into the emptiest fold."""
    groups = families(ancestors)
    filled = [0] * min(FOLDS, max(1, len(groups)))
    folds: dict[str, int] = {}
    for family in groups:
        fold = filled.index(min(filled))
        filled[fold] += len(family)
        folds.update(dict.fromkeys(family, fold))
    return folds


def splits(folds: Mapping[str, int]) -> list[dict[str, list[str]]]:
    """nnU-Net's splits_final.json: per fold its training and validation cases; none where there is one fold only."""
    numbers = sorted(set(folds.values()))
    if len(numbers) < 2:
        return []
    return [
        {
            "train": sorted(case for case, fold in folds.items() if fold != number),
            "val": sorted(case for case, fold in folds.items() if fold == number),
        }
        for number in numbers
    ]
