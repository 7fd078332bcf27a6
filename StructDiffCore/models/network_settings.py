"""NetworkSettings: the generator network's form, stored beside its weights."""

from __future__ import annotations

from dataclasses import dataclass

from StructDiffCore.domain import StructDiffError

from .region_code import CODE_LENGTH

REGION_CONDITIONING = ("slots", "attention")


@dataclass(frozen=True)
class NetworkSettings:
    """Sizes of the generator network. Channel counts are multiples of 64: others run several times slower per operation."""

    channels: tuple[int, ...] = (64, 128, 128)
    """Channels per level; the first level is half the voxel grid, each further one half of the one before."""
    blocks_per_level: tuple[int, ...] = (1, 1, 1)
    """Residual blocks per level, on the way down and again on the way up."""
    condition_blocks: tuple[int, ...] = (0, 1, 1)
    """Residual blocks per level of the condition encoder."""
    code_length: int = CODE_LENGTH
    """Entries of a region code."""
    slot_features: int = 32
    """Features a region code is embedded into."""
    embedding_width: int = 256
    """Width of the noise-level embedding."""
    detail_channels: int = 16
    """Channels of the full-resolution head."""
    region_conditioning: str = "slots"
    """How region codes reach the voxels: 'slots' gathers each label's code where the label lies, 'attention' lets voxels of the
    coarsest level attend to all regions (an ablation; ``slot_features`` then has no use)."""

    def __post_init__(self) -> None:
        for name in ("channels", "blocks_per_level", "condition_blocks"):
            object.__setattr__(self, name, tuple(int(n) for n in getattr(self, name)))
        if not len(self.channels) == len(self.blocks_per_level) == len(self.condition_blocks):
            raise StructDiffError(
                f"the network has {len(self.channels)} channel counts, {len(self.blocks_per_level)} block counts "
                f"and {len(self.condition_blocks)} condition block counts",
                "give one of each per level",
            )
        if self.region_conditioning not in REGION_CONDITIONING:
            raise StructDiffError(
                f"region_conditioning is '{self.region_conditioning}'", f"choose from {', '.join(REGION_CONDITIONING)}"
            )

    @property
    def multiple(self) -> int:
        """A tile's sizes must be multiples of this number of voxels."""
        return 2 ** len(self.channels)
