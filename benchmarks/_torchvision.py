"""`torchvision.models`, also where torchvision's wheel was built for another flavour of torch.

The wheel's extension is linked with CUDA; beside a CPU-only torch it does not load, and torchvision's Python part
then fails on operators that only the extension defines. No model here calls them, so declaring them is enough.
"""

import torch

_BOX_SUPPRESSION = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
_declared: torch.library.Library | None = None  # the declarations live as long as this object does


def _declare_missing_operators() -> None:
    global _declared  # noqa: PLW0603  (the library must live as long as the process)
    missing = [name for name in ("nms", "qnms") if not hasattr(torch.ops.torchvision, name)]
    if missing and _declared is None:
        _declared = torch.library.Library("torchvision", "FRAGMENT")
        for name in missing:
            _declared.define(name + _BOX_SUPPRESSION)


try:
    from torchvision import models
except RuntimeError:  # "operator torchvision::nms does not exist"
    _declare_missing_operators()
    from torchvision import models

__all__ = ["models"]
