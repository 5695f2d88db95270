"""The number format in which this machine multiplies large matrices fast and safely."""

from __future__ import annotations

from pipeline.speech.engines.int8 import has_int8


def cpu_precision() -> str:
    """ "bfloat16" where the processor multiplies it in hardware, else "float32"."""
    import torch

    known = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return "bfloat16" if known.get("avx512_bf16") or known.get("amx_bf16") else "float32"


def best_precision() -> str:
    """Whisper's: "float16" on CUDA, else "bfloat16" in hardware, else "int8" where the processor has it."""
    import torch

    if torch.cuda.is_available():
        return "float16"
    return "int8" if cpu_precision() == "float32" and has_int8() else cpu_precision()
