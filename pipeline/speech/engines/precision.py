"""The number format in which this machine multiplies large matrices fast and safely."""

from __future__ import annotations


def cpu_precision() -> str:
    """ "bfloat16" where the processor multiplies it in hardware, else "float32"."""
    import torch

    known = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return "bfloat16" if known.get("avx512_bf16") or known.get("amx_bf16") else "float32"


def best_precision() -> str:
    """ "float16" on CUDA, else `cpu_precision`."""
    import torch

    return "float16" if torch.cuda.is_available() else cpu_precision()
