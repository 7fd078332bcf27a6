"""Which template label each target label looks like; many target labels may share one."""

from __future__ import annotations

from collections.abc import Mapping

from StructDiffCore.domain import Label, LabelMap, LabelScheme, StructDiffError

HEART_PARTS = (
    *("myocardium", "left atrium", "left ventricle", "right atrium", "right ventricle"),
    *("left ventricular myocardium", "right ventricular myocardium", "left atrial wall", "right atrial wall"),
)
WHOLES = {"heart": HEART_PARTS, "whole heart": HEART_PARTS}
"""A template label that stands for several target labels."""


def correspondence_between(target: LabelMap, template: LabelMap, given: Mapping[int, int] | None = None) -> dict[int, int]:
    """Target label -> template label, for the labels present in both.

    ``given`` decides where it speaks. Else labels match by SNOMED CT code or name when both schemes name their labels, a heart's
    parts also by a template's whole heart; and by value when a scheme is one made from a file's values.
    Raises StructDiffError if nothing matches or ``given`` names a label that is not there.
    """
    if given:
        _refuse_absent(given, target, template)
        return dict(given)
    if _nameless(target.scheme) or _nameless(template.scheme) or target.scheme == template.scheme:
        matched = {value: value for value in target.present if value in template.present}
    else:
        matched = _by_meaning(target, template)
    if not matched:
        raise StructDiffError(
            f"target and template share no label (target {_words(target)}; template {_words(template)})",
            "say which target label looks like which template label, e.g. --correspondence 9=3 10=2",
        )
    return matched


def _refuse_absent(given: Mapping[int, int], target: LabelMap, template: LabelMap) -> None:
    for value, source in given.items():
        if value not in target.present:
            raise StructDiffError(f"the correspondence {value}={source} names no label of the target mask", _choose(target))
        if source not in template.present:
            raise StructDiffError(f"the correspondence {value}={source} names no label of the template mask", _choose(template))


def _choose(label_map: LabelMap) -> str:
    return f"choose among {list(label_map.present)}"


def _nameless(scheme: LabelScheme) -> bool:
    """Whether the scheme was made of bare values (LabelScheme.from_values)."""
    return all(label.name == f"label {label.value}" for label in scheme.labels)


def _by_meaning(target: LabelMap, template: LabelMap) -> dict[int, int]:
    sources = [template.scheme[value] for value in template.present]
    found = {value: _match(target.scheme[value], sources) for value in target.present}
    return {value: source for value, source in found.items() if source is not None}


def _match(label: Label, sources: list[Label]) -> int | None:
    for source in sources:
        if (label.snomed and label.snomed == source.snomed) or label.name.lower() == source.name.lower():
            return source.value
    for source in sources:
        if label.name.lower() in WHOLES.get(source.name.lower(), ()):
            return source.value
    return None


def _words(label_map: LabelMap) -> str:
    names = [label_map.scheme[value].name for value in label_map.present]
    return ", ".join(names[:6]) + (" ..." if len(names) > 6 else "")
