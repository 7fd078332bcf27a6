"""The segmenters that can be trained, by MONAI's own names."""

from __future__ import annotations

from collections.abc import Callable

import torch
from monai.networks import nets
from torch import nn

MULTIPLE = 16
"""A crop's edge must divide by it: the deepest of the networks (VNet) halves four times."""

HALVINGS = {"SegResNet": 3, "UNet": 3, "DynUNet": 3, "AttentionUnet": 3, "VNet": 4}
"""How often each network halves its input."""
NARROWEST_BF16 = 3
"""torch 2.13's weight gradient of a bf16 Conv3d on the CPU is uninitialised memory where the input is 2 voxels wide."""


def _attention_unet(classes: int) -> nn.Module:
    return without_batch_statistics(nets.AttentionUnet(3, 1, classes, (16, 32, 64, 128), (2, 2, 2)))


def _vnet(classes: int) -> nn.Module:
    return without_batch_statistics(nets.VNet(3, 1, classes, dropout_prob_down=None, dropout_prob_up=(None, 0.0)))


def _unet(classes: int) -> nn.Module:
    """The plain form, which learns as much per step as one with residual units in half the time; channels last saves a sixth."""
    network = nets.UNet(3, 1, classes, (32, 64, 128, 256), (2, 2, 2))
    return network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]


NETWORKS: dict[str, Callable[[int], nn.Module]] = {
    "SegResNet": lambda classes: nets.SegResNet(3, 16, 1, classes, blocks_down=(1, 1, 2, 2), blocks_up=(1, 1, 1)),
    "UNet": _unet,
    "DynUNet": lambda classes: nets.DynUNet(3, 1, classes, [3] * 4, [1, 2, 2, 2], [2] * 3, filters=[16, 32, 64, 128]),
    "AttentionUnet": _attention_unet,
    "VNet": _vnet,
}
"""Name -> network with one input channel and as many output channels as asked for."""


def without_batch_statistics(network: nn.Module) -> nn.Module:
    """Instance norms in place of batch norms.

    The statistics of two crops are noise, and they would make the result depend on how many processes share a batch.
    """
    for name, child in list(network.named_children()):
        if isinstance(child, nn.BatchNorm3d):
            setattr(network, name, nn.InstanceNorm3d(child.num_features, affine=True))
        else:
            without_batch_statistics(child)
    return network
