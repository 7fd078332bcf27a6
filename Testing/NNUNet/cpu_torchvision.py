"""Lets torchvision's usual build, which is made for a torch with CUDA, be imported beside a torch without.

It declares shapes for operators of its CUDA library and fails where that could not be loaded. Nothing here runs them: nnU-Net
imports all its trainers when it looks for one by name, its transformers import timm, and timm imports torchvision.
"""

from __future__ import annotations

import sys
import types

import torch

DECLARATIONS = "torchvision._meta_registrations"

if torch.version.cuda is None:
    sys.modules.setdefault(DECLARATIONS, types.ModuleType(DECLARATIONS))
