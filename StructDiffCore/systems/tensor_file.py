"""The safetensors format (length, JSON header, raw bytes) with torch alone, so that training needs nothing else."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

CODE_OF = {
    torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16",
    torch.int64: "I64", torch.int32: "I32", torch.uint8: "U8", torch.bool: "BOOL",
}  # fmt: skip
DTYPE_OF = {code: dtype for dtype, code in CODE_OF.items()}
LONGEST_HEADER = 100_000_000


@dataclass(frozen=True, eq=False)
class TensorFile:
    """What one file holds."""

    tensors: dict[str, Tensor]
    metadata: dict[str, str]


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write all tensors; the file appears under its name only when it is whole."""
    header: dict[str, object] = {"__metadata__": dict(metadata)}
    chunks, offset = [], 0
    for name, tensor in tensors.items():
        flat = tensor.detach().cpu().contiguous().reshape(-1)
        size = flat.numel() * flat.element_size()
        header[name] = {"dtype": CODE_OF[flat.dtype], "shape": list(tensor.shape), "data_offsets": [offset, offset + size]}
        chunks.append(flat.view(torch.uint8).numpy())
        offset += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with temporary.open("wb") as file:
            file.write(len(text).to_bytes(8, "little") + text)
            for chunk in chunks:
                file.write(chunk.data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def read_tensors(path: Path) -> TensorFile:
    """Read a file; a damaged one raises ValueError with the reason, a missing one OSError."""
    content = bytearray(path.read_bytes())
    length = int.from_bytes(content[:8], "little")
    if len(content) < 8 or length > min(LONGEST_HEADER, len(content) - 8):
        raise ValueError("its header is cut off")
    header = json.loads(content[8 : 8 + length])
    if not isinstance(header, dict):
        raise ValueError("its header is no table")
    metadata = header.pop("__metadata__", {})
    body = memoryview(content)[8 + length :]
    return TensorFile({name: _tensor(name, entry, body) for name, entry in header.items()}, metadata)


def _tensor(name: str, entry: Mapping[str, Any], body: memoryview) -> Tensor:
    try:
        dtype, sizes = DTYPE_OF[entry["dtype"]], [int(n) for n in entry["shape"]]
        begin, end = (int(n) for n in entry["data_offsets"])
    except (KeyError, TypeError, ValueError):
        raise ValueError(f"the entry of '{name}' is malformed") from None
    count = math.prod(sizes)
    if min([0, *sizes]) < 0 or not 0 <= begin <= end <= len(body) or end - begin != count * dtype.itemsize:
        raise ValueError(f"the bytes of '{name}' are cut off")
    if count == 0:
        return torch.empty(sizes, dtype=dtype)
    return torch.frombuffer(bytearray(body[begin:end]), dtype=torch.uint8).view(dtype).reshape(sizes)
