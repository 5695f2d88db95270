"""Batched beam search with openai-whisper's weights: many chunks at once, every cache allocated once.

openai-whisper decodes one window after another, holds a copy of the audio's keys and values for every beam and joins
its caches anew for every token. Here a batch of chunks shares every reading of the weights; the beams of a chunk share
the chunk's keys and values, and find their own past in one common cache through a mask, so nothing is ever copied when
beams change places. The search itself is openai-whisper's: in float32 it gives the same tokens.

Shapes: B chunks, G beams, H heads of 64, F = 1500 audio frames of 0.02 s, S places of the text cache.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING

from pipeline.records import AttuneError
from pipeline.speech.engines.int8 import Int8Matrix, has_int8
from pipeline.speech.engines.whisper_weights import HEAD_SIZE, load_whisper

if TYPE_CHECKING:
    import numpy as np
    import torch

    Affine = Callable[[torch.Tensor], torch.Tensor]  # x -> x @ weight.T + bias

PRECISIONS = ("float32", "bfloat16", "float16", "int8")
MAX_NEW_TOKENS = 224  # half of Whisper's text context, as in openai-whisper
ATTENTION_ROWS = 500  # a block of scores is then 1.5 MB in bfloat16
ROUND_TOKENS, ROUNDS = 4, 8  # up to four tokens, eight times one after the other: a text that goes round
BLOCK = 64  # places of text that a search in bfloat16 grows by: oneDNN makes code for every new shape, and keeps it
TOP_BLOCK = 64  # the vocabulary is searched in blocks of this many: six times faster than one sort


@dataclass(frozen=True)
class Model:
    """Whisper, laid out for decoding on this machine; layer norms in float32, all else in `dtype`, but for large
    matrices where those are 8-bit whole numbers."""

    dims: object  # openai-whisper's ModelDimensions
    is_multilingual: bool
    num_languages: int
    encoder: torch.nn.Module  # openai-whisper's own
    layers: tuple[_Layer, ...]  # of the decoder
    embedding: torch.Tensor  # (vocabulary, width); rows of zeros to a multiple of `TOP_BLOCK`
    output: Affine  # the same matrix, from width to vocabulary
    positions: torch.Tensor  # (448, width)
    final_norm: torch.nn.Module
    device: torch.device
    dtype: torch.dtype


@dataclass(frozen=True)
class _Layer:
    """One decoder layer. Matrices that read the same input are joined: query, key, value; key, value."""

    heads: int
    aligned: tuple[int, ...]  # heads of cross-attention that follow time
    norms: tuple[torch.nn.Module, torch.nn.Module, torch.nn.Module]  # before self-attention, cross-attention, mlp
    self_in: Affine
    self_out: Affine
    cross_query: Affine
    cross_in: Affine
    cross_out: Affine
    mlp_in: Affine
    mlp_out: Affine


@dataclass(frozen=True)
class Rules:
    """What the search starts from and may choose.

    prompt            tokens before the first chosen one, the same for every chunk
    start             place in `prompt` of the start mark, where the no-speech probability is read
    end, no_speech    ids of the end mark and the no-speech mark
    suppressed        tokens that are never chosen; `suppressed_first` not as the first
    no_repeat         no run of this many tokens is written twice in a chunk; 0 sets no such rule
    """

    prompt: tuple[int, ...]
    start: int
    end: int
    no_speech: int
    suppressed: tuple[int, ...]
    suppressed_first: tuple[int, ...]
    no_repeat: int = 0


@dataclass(frozen=True)
class Decoded:
    """What one chunk was decoded to.

    tokens     text tokens in order, the end mark left out
    no_speech  Whisper's own probability that the chunk holds no speech
    logprob    natural logarithm, mean over the tokens
    finished   False where it went round in a loop, or reached the token limit, as 30 s of real speech do not
    """

    tokens: tuple[int, ...]
    no_speech: float
    logprob: float
    finished: bool


@cache
def load_model(name: str, precision: str) -> Model:
    """Whisper weights laid out for decoding; once per process.

    precision  "float32", "bfloat16" or "float16"; or "int8", on a processor: large matrices in 8 bits, the rest in
               float32
    raises     AttuneError when the weights are missing, altered or no Whisper, or this machine lacks the precision
    """
    import torch

    if precision not in PRECISIONS or (precision == "int8" and not has_int8()):
        raise AttuneError(
            f"this machine does not hear in the precision {precision!r}",
            mend=f'set precision = "" in the [words] table of the settings, or one of {", ".join(PRECISIONS)}',
            code="precision-unknown",
        )
    whisper = load_whisper(name)
    whole = precision == "int8"
    dtype = torch.float32 if whole else getattr(torch, precision)
    device = torch.device("cuda" if torch.cuda.is_available() and not whole else "cpu")
    decoder = whisper.decoder
    embedding = _padded(decoder.token_embedding.weight).to(device, dtype)
    matrix = Int8Matrix if whole else partial(_matrix, device=device, dtype=dtype)
    aligned = whisper.alignment_heads.indices().T.tolist()
    return Model(
        dims=whisper.dims,
        is_multilingual=whisper.is_multilingual,
        num_languages=whisper.num_languages,
        encoder=_fast_encoder(whisper.encoder, device, dtype, whole),
        layers=tuple(
            _lay_out(block, tuple(head for at, head in aligned if at == index), device, matrix)
            for index, block in enumerate(decoder.blocks)
        ),
        embedding=embedding.half() if whole else embedding,  # float16 is what the weights come in
        output=matrix(embedding),
        positions=decoder.positional_embedding.to(device, dtype),
        final_norm=decoder.ln.to(device),
        device=device,
        dtype=dtype,
    )


def _padded(embedding: torch.Tensor) -> torch.Tensor:
    import torch

    return torch.nn.functional.pad(embedding, (0, 0, 0, -len(embedding) % TOP_BLOCK))


def _in_dtype(module: torch.nn.Module, device: torch.device, dtype: torch.dtype) -> torch.nn.Module:
    import torch

    module = module.to(device, dtype)
    for part in module.modules():
        if isinstance(part, torch.nn.LayerNorm):
            part.float()
    return module


def _matrix(
    weight: torch.Tensor, bias: torch.Tensor | None = None, *, device: torch.device, dtype: torch.dtype
) -> Affine:
    from torch.nn.functional import linear

    return partial(linear, weight=weight.to(device, dtype), bias=None if bias is None else bias.to(device, dtype))


def _fast_encoder(encoder: torch.nn.Module, device: torch.device, dtype: torch.dtype, whole: bool) -> torch.nn.Module:
    """openai-whisper's encoder; on a CPU in bfloat16 with its attention in blocks that stay in the processor's cache.

    That took a fifth off the encoder's time against torch's fused kernel (0.62 and 0.78 s for 30 s of sound, Whisper
    base, one core), at the same distance from float32.
    """
    import torch

    encoder = _in_dtype(encoder, device, dtype)
    if whole:
        for block in encoder.blocks:
            own = block.attn
            for linear in (own.query, own.key, own.value, own.out, block.mlp[0], block.mlp[2]):
                linear.forward = Int8Matrix(linear.weight, linear.bias)
                linear.weight = linear.bias = None
    if device.type == "cpu" and dtype == torch.bfloat16:
        for block in encoder.blocks:
            block.attn.qkv_attention = partial(_attention_in_blocks, block.attn.n_head)
    return encoder


def _attention_in_blocks(
    heads: int, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, _mask: None = None
) -> tuple[torch.Tensor, None]:
    """What `MultiHeadAttention.qkv_attention` gives, without a mask: (B, F, width) and None."""
    import torch

    query = (query * HEAD_SIZE**-0.5).unflatten(-1, (heads, HEAD_SIZE))
    key, value = key.unflatten(-1, (heads, HEAD_SIZE)), value.unflatten(-1, (heads, HEAD_SIZE))
    mixed = torch.empty_like(query)
    for chunk in range(len(query)):
        for head in range(heads):
            keys, values = key[chunk, :, head].T, value[chunk, :, head]
            for first in range(0, query.shape[1], ATTENTION_ROWS):
                rows = slice(first, first + ATTENTION_ROWS)
                mixed[chunk, rows, head] = (query[chunk, rows, head] @ keys).softmax(-1) @ values
    return mixed.flatten(2), None


def _lay_out(block, aligned: tuple[int, ...], device: torch.device, matrix: Callable[..., Affine]) -> _Layer:
    import torch

    def joined(*linears) -> Affine:
        weights = torch.cat([linear.weight for linear in linears])
        biases = [torch.zeros(len(n.weight)) if n.bias is None else n.bias for n in linears]
        return matrix(weights, torch.cat(biases))

    own, cross = block.attn, block.cross_attn
    return _Layer(
        heads=own.n_head,
        aligned=aligned,
        norms=tuple(norm.to(device) for norm in (block.attn_ln, block.cross_attn_ln, block.mlp_ln)),
        self_in=joined(own.query, own.key, own.value),
        self_out=joined(own.out),
        cross_query=joined(cross.query),
        cross_in=joined(cross.key, cross.value),
        cross_out=joined(cross.out),
        mlp_in=joined(block.mlp[0]),
        mlp_out=joined(block.mlp[2]),
    )


def encode(model: Model, mel: torch.Tensor) -> torch.Tensor:
    """Audio features (B, F, width) of log-mel spectrograms (B, mels, 3000), one at a time: what is between stays small
    enough to be kept and used again by the C library, a sixth off the time of two at once."""
    import torch

    with torch.inference_mode():
        return torch.cat([model.encoder(one.to(model.device, model.dtype)) for one in mel.split(1)])


class Listening:
    """A batch of chunks as the decoder hears them, per layer: keys over the audio, (B, H, 64, F), and values,
    (B, H, F, 64). Keys lie as they are multiplied: a quarter off the time of that product for a few beams."""

    def __init__(self, model: Model, features: torch.Tensor) -> None:
        import torch

        n, frames, width = features.shape
        self.n_chunks = n
        self.layers = []
        with torch.inference_mode():
            # One block, so that it all goes back to the system at once.
            everything = features.new_empty(len(model.layers), 2, n, frames * width)
            for layer, (keys, values) in zip(model.layers, everything, strict=True):
                keys = keys.view(n, layer.heads, HEAD_SIZE, frames)
                values = values.view(n, layer.heads, frames, HEAD_SIZE)
                for chunk, own in enumerate(features):  # one at a time: what is between stays in the processor's cache
                    both = layer.cross_in(own).view(frames, 2, layer.heads, HEAD_SIZE)
                    keys[chunk], values[chunk] = both[:, 0].permute(1, 2, 0), both[:, 1].transpose(0, 1)
                self.layers.append((keys, values))

    def select(self, chunks: Sequence[int]) -> Listening:
        """A copy with only these chunks."""
        chosen = object.__new__(Listening)
        chosen.n_chunks = len(chunks)
        chosen.layers = [(keys[list(chunks)], values[list(chunks)]) for keys, values in self.layers]
        return chosen

    def swap(self, a: int, b: int) -> None:
        """Exchange the places of two chunks."""
        for keys, values in self.layers:
            _swap(keys, a, b)
            _swap(values, a, b)


def _swap(rows: torch.Tensor, a: int, b: int) -> None:
    """Exchange two rows in place."""
    if a != b:
        kept = rows[a].clone()
        rows[a] = rows[b]
        rows[b] = kept


def places_at_once(model: Model) -> int:
    """How many places of text a search grows by."""
    import torch

    return BLOCK if model.dtype == torch.bfloat16 and model.device.type == "cpu" else 1


class _TextCache:
    """Keys and values over the text so far, per layer (2, B, H, S, 64).

    All beams of a chunk write into one row, one place each for every step. `mask` (B, n, S) is 0 at the places of a
    beam's own past and -inf elsewhere. The first `reach` places are multiplied with: those filled and, in bfloat16 on a
    processor, zeros up to a multiple of `BLOCK`.
    """

    def __init__(self, model: Model, n_chunks: int, places: int) -> None:
        import torch

        self.layers = [
            torch.empty(2, n_chunks, layer.heads, places, HEAD_SIZE, dtype=model.dtype, device=model.device)
            for layer in model.layers
        ]
        self.filled = self.reach = 0
        self._block = places_at_once(model)

    def grow(self, n: int) -> slice:
        """The next n places, which are the caller's to fill."""
        first, self.filled = self.filled, self.filled + n
        before, places = self.reach, self.layers[0].shape[3]
        self.reach = max(before, min(places, -(-self.filled // self._block) * self._block))
        if self._block > 1:
            for layer in self.layers:
                layer[..., before : self.reach, :] = 0
        return slice(first, self.filled)

    def swap(self, a: int, b: int) -> None:
        """Exchange the places of two chunks."""
        for keys, values in self.layers:
            _swap(keys[:, :, : self.filled], a, b)
            _swap(values[:, :, : self.filled], a, b)


def _forward(
    model: Model,
    listening: Listening,
    text: _TextCache,
    tokens: torch.Tensor,
    positions: torch.Tensor,
    mask: torch.Tensor,
    looks: list | None = None,
) -> torch.Tensor:
    """Feed tokens (B, n) into the next n places of the cache.

    B may be less than the batch: the first B chunks then.
    positions  of the tokens in the text, (n,)
    mask       added to the scores of self-attention, (B or 1, n, filled + n)
    looks      where given, gets the attention over frames of each layer's alignment heads, (B, heads, n, F) float32
    returns    what the decoder makes of each token, (B, n, width), after the last norm
    """
    import torch
    from torch.nn.functional import gelu, pad

    n_rows, n = tokens.shape
    new = text.grow(n)
    mask = pad(mask, (0, text.reach - text.filled), value=-torch.inf)
    scale = HEAD_SIZE**-0.5
    x = model.embedding[tokens].to(model.dtype) + model.positions[positions]
    for layer, own, heard in zip(model.layers, text.layers, listening.layers, strict=True):
        fused = layer.self_in(layer.norms[0](x)).view(n_rows, n, 3, layer.heads, HEAD_SIZE)
        query, key, value = fused.permute(2, 0, 3, 1, 4)
        own[0, :n_rows, :, new], own[1, :n_rows, :, new] = key, value
        keys, values = own[:, :n_rows, :, : text.reach]
        scores = (query @ keys.transpose(2, 3)).float().mul_(scale).add_(mask[:, None]).softmax(-1)
        mixed = scores.to(x.dtype) @ values
        x = x + layer.self_out(mixed.transpose(1, 2).flatten(2))

        query = layer.cross_query(layer.norms[1](x)).view(n_rows, n, layer.heads, HEAD_SIZE)
        query = query.transpose(1, 2).flatten(0, 1)
        keys, values = (part[:n_rows].flatten(0, 1) for part in heard)
        scores = torch.bmm(query, keys).float().mul_(scale).softmax(-1)  # (B * H, n, F)
        mixed = torch.bmm(scores.to(x.dtype), values).view(n_rows, layer.heads, n, HEAD_SIZE)
        x = x + layer.cross_out(mixed.transpose(1, 2).flatten(2))
        if looks is not None and layer.aligned:
            looks.append(scores.view(n_rows, layer.heads, n, -1)[:, list(layer.aligned)].clone())

        x = x + layer.mlp_out(gelu(layer.mlp_in(layer.norms[2](x))))
    return model.final_norm(x)


def _logits(model: Model, hidden: torch.Tensor) -> torch.Tensor:
    """Float32, over the vocabulary and the padding rows of the embedding, whose values mean nothing."""

    # As one matrix: for a batch of slices torch would copy the embedding once for every chunk.
    rows = model.output(hidden.reshape(-1, hidden.shape[-1])).float()
    return rows.view(*hidden.shape[:-1], len(model.embedding))


def _probabilities(model: Model, hidden: torch.Tensor) -> torch.Tensor:
    return _logits(model, hidden)[..., : model.dims.n_vocab].softmax(-1)


def _causal(n: int, device: torch.device) -> torch.Tensor:
    import torch

    return torch.full((1, n, n), -torch.inf, device=device).triu_(1)


@dataclass
class _Search:
    """The beams of one chunk, as openai-whisper keeps them: running ones with their scores, and finished ones."""

    chunk: int
    no_speech: float
    beams: list[list[int]]
    scores: list[float]
    finished: dict[tuple[int, ...], float]

    def advance(self, tops: list[list[tuple[float, int]]], n_beams: int, end: int) -> list[int]:
        """Take the best continuations.

        tops     per running beam, its likeliest next tokens as (log probability, token)
        returns  per new beam, the place of the old one it goes on from
        """
        candidates = [
            (score + logprob, place, token)
            for place, (score, top) in enumerate(zip(self.scores, tops, strict=True))
            for logprob, token in top
        ]
        candidates.sort(key=lambda c: -c[0])
        beams, scores, parents = [], [], []
        for score, place, token in candidates:
            if token == end:
                if len(self.finished) < n_beams:
                    self.finished.setdefault(tuple(self.beams[place]), score)
                continue
            beams.append([*self.beams[place], token])
            scores.append(score)
            parents.append(place)
            if len(beams) == n_beams:
                break
        self.beams, self.scores = beams, scores
        return parents

    def is_stuck(self) -> bool:
        """Whether no text has ended and every one goes round and round, as it would to the token limit."""
        return not self.finished and all(map(goes_round, self.beams))

    def best(self) -> Decoded:
        """The finished text with the highest mean log probability; an unfinished one where there is none."""
        done = bool(self.finished)
        texts = self.finished if done else {tuple(self.beams[0]): self.scores[0]}
        tokens, score = max(texts.items(), key=lambda item: item[1] / max(1, len(item[0])))
        return Decoded(tokens, self.no_speech, score / (len(tokens) + 1), done)


def goes_round(tokens: Sequence[int]) -> bool:
    """Whether the text ends in a few tokens written over and over."""
    return any(
        len(tokens) >= n * ROUNDS and tokens[-n * ROUNDS :] == tokens[-n:] * ROUNDS for n in range(1, ROUND_TOKENS + 1)
    )


def decode(model: Model, listening: Listening, rules: Rules, n_beams: int) -> list[Decoded]:
    """The likeliest text of every chunk by beam search (greedy with one beam), in the chunks' order.

    `listening` is permuted while decoding and as it was afterwards.
    """
    import torch

    n_prompt = len(rules.prompt)
    limit = min(MAX_NEW_TOKENS, len(model.positions) - n_prompt)
    with torch.inference_mode():
        batch = _Batch(model, listening, rules.prompt, limit * n_beams)
        never, never_first = _forbidden(model, rules)
        silent = _probabilities(model, batch.hidden[:, rules.start])[:, rules.no_speech].tolist()
        batch.running = [_Search(i, probability, [[]], [0.0], {}) for i, probability in enumerate(silent)]
        batch.hidden = batch.hidden[:, -1:]
        for step in range(limit):
            logits = _logits(model, batch.hidden).add_(never_first if step == 0 else never)
            if rules.no_repeat:
                _forbid_repeats(logits, batch.running, rules.no_repeat)
            tops = _top_tokens(logits, n_beams + 1)
            batch.choose([s.advance(top, n_beams, rules.end) for s, top in zip(batch.running, tops, strict=True)])
            batch.retire(lambda search: len(search.finished) >= n_beams or search.is_stuck())
            if not batch.running:
                break
            batch.feed(n_prompt + step)
        batch.restore()
    return [search.best() for search in sorted([*batch.done, *batch.running], key=lambda search: search.chunk)]


class _Batch:
    """A search in progress. Place i of every tensor belongs to `running[i]`; finished chunks lie behind the running
    ones, so that what still runs is always a plain slice."""

    def __init__(self, model: Model, listening: Listening, prompt: Sequence[int], new_places: int) -> None:
        """Feed the prompt; `hidden` is then what the decoder makes of each of its tokens."""
        import torch

        self.model, self.listening = model, listening
        n, n_prompt = listening.n_chunks, len(prompt)
        self.text = _TextCache(model, n, n_prompt + new_places)
        self.mask = torch.zeros(n, 1, n_prompt, device=model.device)
        self.running: list[_Search] = []
        self.done: list[_Search] = []
        self.swaps: list[tuple[int, int]] = []
        tokens = torch.tensor([list(prompt)] * n, device=model.device)
        positions = torch.arange(n_prompt, device=model.device)
        self.hidden = _forward(model, listening, self.text, tokens, positions, _causal(n_prompt, model.device))

    def choose(self, parents: list[list[int]]) -> None:
        """Each new beam sees its parent's past, and its own new place after it."""
        import torch

        n_beams = len(parents[0])
        inherited = torch.stack([row[ids] for row, ids in zip(self.mask, parents, strict=True)])
        own = torch.full((n_beams, n_beams), -torch.inf, device=self.mask.device).fill_diagonal_(0.0)
        self.mask = torch.cat([inherited, own.expand(len(parents), -1, -1)], dim=2)

    def retire(self, has_ended: Callable[[_Search], bool]) -> None:
        """Move the chunks that have ended behind the running ones."""
        for place in reversed(range(len(self.running))):
            if has_ended(self.running[place]):
                last = len(self.running) - 1
                self.listening.swap(place, last)
                self.text.swap(place, last)
                self.swaps.append((place, last))
                self.mask[place] = self.mask[last]
                self.mask = self.mask[:last]
                self.done.append(self.running[place])
                self.running[place] = self.running[last]
                self.running.pop()

    def feed(self, position: int) -> None:
        """Every beam's last token, all at one position of the text."""
        import torch

        device = self.model.device
        tokens = torch.tensor([[beam[-1] for beam in search.beams] for search in self.running], device=device)
        positions = torch.full((tokens.shape[1],), position, device=device)
        self.hidden = _forward(self.model, self.listening, self.text, tokens, positions, self.mask)

    def restore(self) -> None:
        """The chunks of `listening` in their old order."""
        for a, b in reversed(self.swaps):
            self.listening.swap(a, b)


def _forbidden(model: Model, rules: Rules) -> tuple[torch.Tensor, torch.Tensor]:
    """What is added to the logits of every step, and of the first: -inf for tokens that may not be chosen."""
    import torch

    never = torch.zeros(len(model.embedding), device=model.device)
    never[list(rules.suppressed)] = -torch.inf
    never[model.dims.n_vocab :] = -torch.inf
    never_first = never.clone()
    never_first[list(rules.suppressed_first)] = -torch.inf
    return never, never_first


def _top_tokens(logits: torch.Tensor, n: int) -> list[list[list[tuple[float, int]]]]:
    """Per chunk and beam, the n likeliest tokens with their log probabilities, likeliest first."""
    blocks = logits.unflatten(-1, (-1, TOP_BLOCK))
    best_blocks = blocks.amax(-1).topk(n, dim=-1).indices
    members = blocks.gather(-2, best_blocks[..., None].expand(*best_blocks.shape, TOP_BLOCK)).flatten(-2)
    values, places = members.topk(n, dim=-1)
    tokens = best_blocks.gather(-1, places // TOP_BLOCK) * TOP_BLOCK + places % TOP_BLOCK
    values = values - logits.logsumexp(-1, keepdim=True)
    return [
        [list(zip(*beam, strict=True)) for beam in zip(*chunk, strict=True)]
        for chunk in zip(values.tolist(), tokens.tolist(), strict=True)
    ]


def _forbid_repeats(logits: torch.Tensor, running: list[_Search], n: int) -> None:
    """Rule out, in place, every token that would complete a run of `n` written before in the same beam."""
    import torch

    for row, search in zip(logits, running, strict=True):
        for beam_row, beam in zip(row, search.beams, strict=True):
            tail = beam[len(beam) - n + 1 :]
            again = [beam[at + n - 1] for at in range(len(beam) - n + 1) if beam[at : at + n - 1] == tail]
            beam_row[again] = -torch.inf


def language_probabilities(model: Model, listening: Listening, start: int, languages: Sequence[int]) -> np.ndarray:
    """How likely each chunk is in each language: float32 (chunks, languages), rows summing to 1.

    start      id of the start mark
    languages  ids of the language marks
    """
    import torch

    with torch.inference_mode():
        tokens = torch.tensor([[start]] * listening.n_chunks, device=model.device)
        text = _TextCache(model, listening.n_chunks, 1)
        hidden = _forward(
            model, listening, text, tokens, torch.arange(1, device=model.device), _causal(1, model.device)
        )
        return _logits(model, hidden[:, 0])[:, list(languages)].softmax(-1).cpu().numpy()


def attend(
    model: Model, listening: Listening, prompt: Sequence[int], texts: Sequence[Sequence[int]], end: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Where Whisper listens as it writes given texts, one for each chunk.

    prompt   tokens before the text: the start sequence, without earlier text
    returns  per chunk: attention of the alignment heads, float32 (heads, tokens + 1, F), a distribution over frames for
             each token, the last row the end mark's; and the probability of each token, (tokens,)
    """
    import torch

    n_prompt, longest = len(prompt), max(map(len, texts))
    padded = [[*prompt, *text, *[end] * (longest - len(text))] for text in texts]
    found = []
    with torch.inference_mode():
        tokens = torch.tensor(padded, device=model.device)
        n = tokens.shape[1]
        text_cache = _TextCache(model, len(texts), n)
        looks: list[torch.Tensor] = []
        hidden = _forward(
            model, listening, text_cache, tokens, torch.arange(n, device=model.device), _causal(n, model.device), looks
        )
        for chunk, text in enumerate(texts):
            at = slice(n_prompt - 1, n_prompt + len(text))
            attention = torch.cat([layer[chunk, :, at] for layer in looks]).cpu().numpy()
            written = torch.tensor(list(text), dtype=torch.long, device=model.device)[:, None]
            likely = _probabilities(model, hidden[chunk, at][:-1]).gather(1, written)
            found.append((attention, likely[:, 0].cpu().numpy()))
    return found
