"""Whisper weights as openai-whisper's own model, from either form they are kept in.

A folder holds `model.pt` (openai-whisper's own checkpoint) or `model.bin` and `config.json` (CTranslate2, the form
faster-whisper uses). The conversion is exact: both hold the same float16 numbers, and only the names and the fused
query/key/value matrices differ.
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline import models
from pipeline.records import AttuneError

if TYPE_CHECKING:
    import numpy as np

HEAD_SIZE = 64  # every Whisper: 384 = 6 * 64, 512 = 8 * 64, ..., 1280 = 20 * 64
DTYPES = {0: "float32", 1: "int8", 2: "int16", 3: "int32", 4: "float16"}  # CTranslate2's ids

# CTranslate2's name of a module -> openai-whisper's. Attention matrices are split apart below.
RENAMES = (
    (r"^decoder/embeddings/weight$", "decoder.token_embedding.weight"),
    (r"^(encoder|decoder)/position_encodings/encodings$", r"\1.positional_embedding"),
    (r"^encoder/conv(\d)/", r"encoder.conv\1."),
    (r"^encoder/layer_norm/", "encoder.ln_post."),
    (r"^decoder/layer_norm/", "decoder.ln."),
    (r"/layer_(\d+)/", r".blocks.\1."),
    (r"self_attention/layer_norm/", "attn_ln."),
    (r"self_attention/", "attn."),
    (r"attention/layer_norm/", "cross_attn_ln."),
    (r"attention/", "cross_attn."),
    (r"ffn/layer_norm/", "mlp_ln."),
    (r"ffn/linear_0/", "mlp.0."),
    (r"ffn/linear_1/", "mlp.2."),
    (r"gamma$", "weight"),
    (r"beta$", "bias"),
)
# How many equal parts the rows of a fused matrix hold, in order, by the attention it belongs to.
FUSED = {
    ("attn", "linear_0"): ("query", "key", "value"),
    ("attn", "linear_1"): ("out",),
    ("cross_attn", "linear_0"): ("query",),
    ("cross_attn", "linear_1"): ("key", "value"),
    ("cross_attn", "linear_2"): ("out",),
}


def load_whisper(name: str):
    """openai-whisper's model with float32 parameters, in evaluation mode, alignment heads set.

    name     of the weights in the catalogue
    raises   AttuneError when they are missing, altered, or no Whisper
    """
    folder = models.weights(name)
    if (folder / "model.pt").is_file():
        return _load_checkpoint(folder / "model.pt", name)
    if (folder / "model.bin").is_file() and (folder / "config.json").is_file():
        return _build_model(dict(_read_tensors(folder / "model.bin")), json.loads((folder / "config.json").read_text()))
    raise AttuneError(
        f"the weights {name!r} hold neither model.pt nor model.bin with config.json",
        mend="bring Whisper weights in with: attune models add whisper:small.en",
        code="weights-no-whisper",
    )


def _load_checkpoint(path: Path, name: str):
    """A checkpoint of openai-whisper. Its alignment heads are known by the size's name ("whisper-small.en")."""
    import whisper

    model = whisper.load_model(str(path), device="cpu")
    heads = whisper._ALIGNMENT_HEADS.get(name.removeprefix("whisper-"))
    if heads:
        model.set_alignment_heads(heads)
    return model.float().eval()


def _read_tensors(path: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Every tensor of a CTranslate2 file (version 6) with its name; views into the mapped file.

    raises   AttuneError when the file is of another kind
    """
    import numpy as np

    raw = np.memmap(path, dtype=np.uint8, mode="r")
    at = 0

    def take(form: str) -> int:
        nonlocal at
        (value,) = struct.unpack_from(form, raw, at)
        at += struct.calcsize(form)
        return value

    def take_name() -> str:
        nonlocal at
        length = take("<H")
        at += length
        return raw[at - length : at].tobytes().rstrip(b"\0").decode()

    version, kind, _revision = take("<I"), take_name(), take("<I")
    if version != 6 or kind != "WhisperSpec":
        raise AttuneError(
            f"model.bin is CTranslate2 version {version} of kind {kind[:20]!r}, not Whisper version 6",
            mend="convert the weights with a current ct2-transformers-converter",
            code="weights-no-whisper",
        )
    for _ in range(take("<I")):
        tensor_name = take_name()
        shape = tuple(take("<I") for _ in range(take("<B")))
        dtype = DTYPES.get(take("<B"))
        n_bytes = take("<I")
        if dtype is not None:
            yield tensor_name, raw[at : at + n_bytes].view(dtype).reshape(shape)
        at += n_bytes


def _build_model(tensors: dict[str, np.ndarray], config: dict):
    import numpy as np
    import torch
    import whisper

    state = {}
    for tensor_name, array in tensors.items():
        if array.ndim and array.dtype.kind == "f":
            for part, values in _openai_parts(tensor_name, array):
                state[part] = torch.from_numpy(np.array(values)).float()  # five times faster than numpy's own
    dims = _dimensions(state)
    with _unfilled():
        model = whisper.model.Whisper(dims)
    model.load_state_dict(state, strict=True, assign=True)
    heads = torch.zeros(dims.n_text_layer, dims.n_text_head, dtype=torch.bool)
    for layer, head in config["alignment_heads"]:
        heads[layer, head] = True
    model.register_buffer("alignment_heads", heads.to_sparse(), persistent=False)
    return model.requires_grad_(False).eval()


def _unfilled():
    """In this context no new parameter is filled with random numbers: that takes as long as reading the weights that
    replace them, and touches as much memory again."""
    from torch.nn import init
    from torch.overrides import TorchFunctionMode

    fillers = (init.kaiming_uniform_, init.uniform_, init.normal_)

    class Unfilled(TorchFunctionMode):
        def __torch_function__(self, function, types, args=(), kwargs=None):
            if function in fillers:
                return kwargs["tensor"] if kwargs and "tensor" in kwargs else args[0]
            return function(*args, **(kwargs or {}))

    return Unfilled()


def _openai_parts(tensor_name: str, array: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """One CTranslate2 tensor as the openai-whisper tensors it holds."""
    import numpy as np

    for pattern, replacement in RENAMES:
        tensor_name = re.sub(pattern, replacement, tensor_name)
    fused = re.match(r"(.*\.(attn|cross_attn)\.)(linear_\d)/(weight|bias)$", tensor_name)
    if fused is None:
        yield tensor_name.replace("/", "."), array
        return
    prefix, attention, linear, leaf = fused.groups()
    names = FUSED[attention, linear]
    for name, part in zip(names, np.split(array, len(names)), strict=True):
        if name == "key" and leaf == "bias":  # Whisper has no key bias; CTranslate2 stores zeros
            if part.any():
                raise AttuneError(
                    "a key bias of these weights is not zero: no Whisper of OpenAI",
                    mend="use weights converted from openai/whisper-*",
                    code="weights-no-whisper",
                )
            continue
        yield f"{prefix}{name}.{leaf}", part


def _dimensions(state: dict):
    from whisper.model import ModelDimensions

    def layers(side: str) -> int:
        return len({name.split(".")[2] for name in state if name.startswith(f"{side}.blocks.")})

    audio_state, n_mels, _ = state["encoder.conv1.weight"].shape
    n_vocab, text_state = state["decoder.token_embedding.weight"].shape
    return ModelDimensions(
        n_mels=n_mels,
        n_audio_ctx=state["encoder.positional_embedding"].shape[0],
        n_audio_state=audio_state,
        n_audio_head=audio_state // HEAD_SIZE,
        n_audio_layer=layers("encoder"),
        n_vocab=n_vocab,
        n_text_ctx=state["decoder.positional_embedding"].shape[0],
        n_text_state=text_state,
        n_text_head=text_state // HEAD_SIZE,
        n_text_layer=layers("decoder"),
    )
