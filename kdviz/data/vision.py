"""The one place that imports torchvision, with whichever torch is installed.

torchvision's Linux wheel is built against CUDA torch; beside a CPU-only torch its compiled part cannot load, and the import
stops with "operator torchvision::nms does not exist". Declaring the operators it looks for lets its datasets, models and
transforms work. They are declared only where the compiled part cannot load: beside a CUDA torch they would clash.
"""

from __future__ import annotations

import ctypes
import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

_declared: list[Any] = []  # keeps the library of declarations alive: it vanishes with its last reference


def torchvision() -> ModuleType:
    """Return the torchvision module, imported on first use."""
    import torch

    if not _declared and not _compiled_part_loads():
        library: Any = torch.library.Library("torchvision", "DEF")
        library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _declared.append(library)
    import torchvision.datasets

    module: ModuleType = torchvision
    return module


def _compiled_part_loads() -> bool:
    spec = importlib.util.find_spec("torchvision")
    if spec is None or spec.origin is None:
        return False
    for compiled in Path(spec.origin).parent.glob("_C*.so"):
        try:
            ctypes.CDLL(str(compiled))
        except OSError:
            return False
    return True
