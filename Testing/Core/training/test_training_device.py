"""Both devices compute convolutions in bfloat16 and leave what they are given as it is."""

import pytest
import torch
from torch import nn

from StructDiffCore.training.device import BareDevice, FabricDevice


class Watching(nn.Module):
    """Keeps the number types it sees."""

    def __init__(self):
        super().__init__()
        self.convolution = nn.Conv3d(1, 1, 1)

    def forward(self, image, sigma):
        self.seen = (image.dtype, sigma.dtype, self.convolution(image).dtype)
        return (image * sigma).mean() + 0 * self.convolution(image).float().mean()


@pytest.mark.parametrize("device_class", [BareDevice, FabricDevice])
@pytest.mark.parametrize(("precision", "inner"), [("bf16-mixed", torch.bfloat16), ("32-true", torch.float32)])
def test_inputs_keep_their_precision_and_convolutions_have_the_runs(device_class, precision, inner):
    module = Watching()
    device = device_class(precision)
    wrapped, _ = device.set_up(module, torch.optim.SGD(module.parameters(), 0.1))
    sigma = torch.tensor(0.0201)
    value = wrapped(torch.ones(1, 1, 2, 2, 2, device=device.device), sigma.to(device.device))
    assert module.seen == (torch.float32, torch.float32, inner)
    assert value.item() == pytest.approx(0.0201, rel=1e-6)
