"""LabelScheme: what each value of a label map means."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .errors import StructDiffError

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class ExpectedTopology:
    """Betti numbers a healthy structure has; ``None`` leaves a number free."""

    components: int | None = None
    """b0, 26-connected pieces."""
    loops: int | None = None
    """b1, tunnels."""
    cavities: int | None = None
    """b2, enclosed holes (6-connected background)."""


@dataclass(frozen=True)
class Label:
    """One structure: its value in the array and its meaning."""

    value: int
    name: str
    colour: Colour = (200, 200, 200)
    snomed: str = ""
    """SNOMED CT concept id, empty where unknown."""
    thin: bool = False
    """A vessel only a few voxels wide: gets a graph, clDice and partial-volume care."""
    group: str = ""
    """Structures of one look (coronaries fill with the aorta's blood): the fallback for a missing region code."""
    expected: ExpectedTopology = ExpectedTopology()


@dataclass(frozen=True)
class LabelScheme:
    """A named set of labels. Value 0 is always background and never listed."""

    name: str
    labels: tuple[Label, ...]
    touching: tuple[tuple[int, int], ...] = ()
    """Pairs of values that must touch (coronary ostium on the aorta)."""
    apart: tuple[tuple[int, int], ...] = ()
    """Pairs of values that must not touch (the two coronary trees)."""

    def __post_init__(self) -> None:
        values = [label.value for label in self.labels]
        if len(set(values)) != len(values):
            raise StructDiffError(
                f"label scheme '{self.name}' gives one value twice: {sorted(values)}", "number the labels apart"
            )
        if any(value <= 0 for value in values):
            raise StructDiffError(f"label scheme '{self.name}' has a value <= 0", "use 0 for background only")

    @property
    def values(self) -> tuple[int, ...]:
        return tuple(label.value for label in self.labels)

    @property
    def thin_values(self) -> tuple[int, ...]:
        return tuple(label.value for label in self.labels if label.thin)

    def __getitem__(self, value: int) -> Label:
        for label in self.labels:
            if label.value == value:
                return label
        raise StructDiffError(
            f"label {value} is not in the scheme '{self.name}' ({list(self.values)})", "give the right --scheme"
        )

    def named(self, name: str) -> Label:
        """The label called ``name`` (case ignored)."""
        for label in self.labels:
            if label.name.lower() == name.lower():
                return label
        raise StructDiffError(
            f"no label named '{name}' in the scheme '{self.name}'", f"choose one of {[label.name for label in self.labels]}"
        )

    def unknown(self, values: Iterable[int]) -> list[int]:
        """The values, background apart, that this scheme does not know."""
        return sorted({int(v) for v in values} - set(self.values) - {0})

    @classmethod
    def from_values(cls, values: Iterable[int], name: str = "from file") -> LabelScheme:
        """A nameless scheme for any other label set: "label 3", colours far apart, nothing thin."""
        present = sorted({int(v) for v in values} - {0})
        palette = [spread_colour(rank) for rank in range(len(present))]
        return cls(name, tuple(Label(v, f"label {v}", colour) for v, colour in zip(present, palette)))


def spread_colour(rank: int) -> Colour:
    """Colours far apart in hue for consecutive ranks (golden-ratio steps around the wheel)."""
    import colorsys

    red, green, blue = colorsys.hsv_to_rgb((0.11 + 0.618034 * rank) % 1.0, 0.65, 0.95)
    return int(255 * red), int(255 * green), int(255 * blue)


def _whole(components: int | None = 1, loops: int | None = 0, cavities: int | None = 0) -> ExpectedTopology:
    return ExpectedTopology(components, loops, cavities)


CARDIAC = LabelScheme(
    "cardiac",
    (
        Label(1, "myocardium", (192, 104, 88), "74281007", group="muscle", expected=ExpectedTopology(1, None, 0)),
        Label(2, "left atrium", (247, 158, 128), "82471001", group="blood", expected=_whole()),
        Label(3, "left ventricle", (232, 76, 61), "87878005", group="blood", expected=_whole()),
        Label(4, "right atrium", (96, 158, 208), "73829009", group="blood", expected=_whole()),
        Label(5, "right ventricle", (52, 109, 186), "53085002", group="blood", expected=_whole()),
        Label(6, "aorta", (224, 97, 76), "15825003", group="blood", expected=_whole()),
        Label(7, "pulmonary artery", (0, 122, 171), "81040000", group="blood", expected=_whole()),
        Label(8, "left coronary tree", (255, 203, 71), "3227004", thin=True, group="blood", expected=_whole()),
        Label(9, "right coronary tree", (120, 220, 120), "13647002", thin=True, group="blood", expected=_whole()),
    ),
    touching=((6, 8), (6, 9)),
    apart=((8, 9),),
)
"""The shipped scheme (SNOMED CT codes from the body-structure hierarchy)."""
