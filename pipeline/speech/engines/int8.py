"""Matrices in 8-bit whole numbers, for processors that multiply those faster than anything else they know.

Every row of the input has a scale of its own, and every row of the weights too. One scale for a whole input, as in
torch's dynamic quantisation, takes Whisper's word error rate up by four points: a few frames are much larger than the
rest. Weights keep 7 bits: a processor without VNNI adds two products of 8-bit numbers into 16 bits, and larger ones
would overflow there unseen.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

MOST_WEIGHT, MOST_INPUT, INPUT_ZERO = 63, 127, 128  # inputs are stored shifted, as 1 to 255
LEAST_ROW = 1e-9  # a row of zeros has no scale


class Int8Matrix:
    """A matrix and an offset: called with x, float32 (..., K), gives x @ weight.T + bias, float32 (..., N)."""

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor | None = None) -> None:
        """weight (N, K) and bias (N,) in any floating-point format."""
        import torch

        weight = weight.detach().float()
        self._scales = weight.abs().amax(1).clamp_min(LEAST_ROW) / MOST_WEIGHT
        whole = (weight / self._scales[:, None]).round_().to(torch.int8)
        self._packed = torch.ops.onednn.qlinear_prepack(whole, None)
        self._zeros = torch.zeros(len(weight), dtype=torch.int32)
        self._bias = torch.zeros(len(weight)) if bias is None else bias.detach().float()

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        import torch

        rows = x.reshape(-1, x.shape[-1])
        scales = rows.abs().amax(1, keepdim=True).clamp_min_(LEAST_ROW) / MOST_INPUT
        whole = (rows / scales).add_(INPUT_ZERO + 0.5).to(torch.uint8)  # truncated: rounded to the nearest
        product = torch.ops.onednn.qlinear_pointwise(
            whole, 1.0, INPUT_ZERO, self._packed, self._scales, self._zeros, None, 1.0, 0, torch.float32, "none", [], ""
        )
        return torch.addcmul(self._bias, product, scales).view(*x.shape[:-1], -1)


@cache
def has_int8() -> bool:
    """Whether this processor multiplies 8-bit matrices, exactly, through torch."""
    import torch

    if not hasattr(torch.cpu, "get_capabilities") or not torch.cpu.get_capabilities().get("avx2"):
        return False  # elsewhere torch may have it without being fast
    try:
        generator = torch.Generator().manual_seed(0)
        weight = torch.randint(-MOST_WEIGHT, MOST_WEIGHT + 1, (32, 256), generator=generator).float()
        weight[:, 0] = MOST_WEIGHT
        x = torch.randint(-MOST_INPUT, MOST_INPUT + 1, (16, 256), generator=generator).float()
        x[:, 0] = MOST_INPUT
        return torch.equal(Int8Matrix(weight)(x), x @ weight.T)
    except (AttributeError, NotImplementedError, RuntimeError):
        return False
