"""Sentence embeddings: MiniLM-L6 run straight from its weights.

One row a text: float32, 384 wide, of length one, mean over the tokens. A plain forward pass in torch stands here
because the usual library cannot be imported beside this project's versions of torch and torchaudio (it loads
torchaudio's compiled part, which these versions do not fit). It agrees with that library to 2e-7.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np

from pipeline.cores import torch_threads

WIDTH = 384  # hidden_size in the weights' config.json
LAYERS, HEADS = 6, 12  # num_hidden_layers, num_attention_heads
MAX_TOKENS = 256  # max_seq_length in sentence_bert_config.json
EPSILON = 1e-12  # layer_norm_eps
BATCH = 32  # texts of like length together; larger batches waste work on padding


def embed(texts: Sequence[str], folder: Path) -> np.ndarray:
    """Embeddings of `texts`, shape (len(texts), 384); each distinct text is run once, an empty one is zeros.

    folder   the unpacked weights: `model.safetensors` and `tokenizer.json`
    """
    with torch_threads(1):  # two threads on a busy two-core machine are ten times slower than one
        distinct = sorted({text for text in texts if text}, key=lambda text: (len(text), text))
        rows: dict[str, np.ndarray] = {}
        for at in range(0, len(distinct), BATCH):
            batch = distinct[at : at + BATCH]
            rows.update(zip(batch, _forward(batch, str(folder)), strict=True))
    zero = np.zeros(WIDTH, dtype=np.float32)
    return np.array([rows.get(text, zero) for text in texts], dtype=np.float32).reshape(len(texts), WIDTH)


@cache
def _load(folder: str):
    from safetensors.torch import load_file
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(Path(folder) / "tokenizer.json"))
    tokenizer.enable_truncation(MAX_TOKENS)
    tokenizer.enable_padding()
    return tokenizer, load_file(Path(folder) / "model.safetensors")


def _forward(texts: list[str], folder: str) -> np.ndarray:
    import torch
    from torch.nn import functional as F

    tokenizer, weight = _load(folder)
    encoded = tokenizer.encode_batch(texts)
    ids = torch.tensor([e.ids for e in encoded])
    mask = torch.tensor([e.attention_mask for e in encoded])

    def linear(x, name):
        return F.linear(x, weight[f"{name}.weight"], weight[f"{name}.bias"])

    def norm(x, name):
        return F.layer_norm(x, (WIDTH,), weight[f"{name}.weight"], weight[f"{name}.bias"], EPSILON)

    def heads(x):
        return x.view(*x.shape[:2], HEADS, WIDTH // HEADS).transpose(1, 2)

    with torch.inference_mode():
        x = weight["embeddings.word_embeddings.weight"][ids]
        x = x + weight["embeddings.position_embeddings.weight"][: ids.shape[1]]
        x = norm(x + weight["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")
        bias = (1.0 - mask[:, None, None, :].float()) * torch.finfo(torch.float32).min
        for layer in range(LAYERS):
            at = f"encoder.layer.{layer}"
            q, k, v = (heads(linear(x, f"{at}.attention.self.{part}")) for part in ("query", "key", "value"))
            seen = torch.softmax(q @ k.transpose(2, 3) / math.sqrt(WIDTH // HEADS) + bias, dim=-1) @ v
            seen = seen.transpose(1, 2).reshape(x.shape)
            x = norm(x + linear(seen, f"{at}.attention.output.dense"), f"{at}.attention.output.LayerNorm")
            inner = F.gelu(linear(x, f"{at}.intermediate.dense"))
            x = norm(x + linear(inner, f"{at}.output.dense"), f"{at}.output.LayerNorm")
        part = mask[:, :, None].float()
        return F.normalize((x * part).sum(1) / part.sum(1), dim=1).numpy()
