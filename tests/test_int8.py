"""8-bit matrices: exact products, a scale for every row, and Whisper hears with them as it does without."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.records import AttuneError
from pipeline.speech.engines import precision, whisper_decode
from pipeline.speech.engines.int8 import MOST_INPUT, MOST_WEIGHT, Int8Matrix, has_int8
from pipeline.speech.engines.whisper_decode import goes_round, load_model

needs_int8 = pytest.mark.skipif(not has_int8(), reason="this processor has no 8-bit products")


@needs_int8
@pytest.mark.parametrize("rows", [1, 7, 40, 1500])
def test_products_of_whole_numbers_are_exact(rows):
    """The largest numbers all together, too: that is where 16 bits would overflow."""
    import torch

    weight = torch.randint(-MOST_WEIGHT, MOST_WEIGHT + 1, (96, 512)).float()
    x = torch.randint(-MOST_INPUT, MOST_INPUT + 1, (rows, 512)).float()
    weight[0], x[0] = MOST_WEIGHT, MOST_INPUT
    weight[:, 0], x[:, 0] = MOST_WEIGHT, MOST_INPUT
    bias = torch.arange(96.0)
    assert torch.equal(Int8Matrix(weight, bias)(x), x @ weight.T + bias)


@needs_int8
def test_a_loud_row_takes_nothing_from_the_others():
    import torch

    weight, x = torch.randn(64, 512), torch.randn(2, 5, 512)
    matrix, loud = Int8Matrix(weight), x.clone()
    loud[0, 0] *= 1e4
    assert torch.equal(matrix(loud)[:, 1:], matrix(x)[:, 1:])
    exact = x @ weight.T
    assert (matrix(x) - exact).norm() < 0.03 * exact.norm()
    assert matrix(torch.zeros(1, 512)).abs().max() == 0


@needs_int8
@pytest.mark.models
def test_whisper_hears_with_8_bits_as_it_does_without(root):
    """Acted speech: as many words right, and the same again from the same input."""
    import json

    from pipeline.evaluate.words import score_words
    from pipeline.records import Audio
    from pipeline.speech.activity import ActivityOptions, find_activity
    from pipeline.speech.audio import AudioOptions, decode_recording
    from pipeline.speech.transcribe import TranscribeOptions, transcribe

    samples = decode_recording(root / "sample_audio" / "acted_session_2.m4a", AudioOptions()).mono[: 60 * 16000]
    audio = Audio(samples[None], 16000)
    activity = find_activity(audio, None, ActivityOptions())
    rows = json.loads((root / "sample_audio" / "acted_session_2.words.json").read_text(encoding="utf-8"))
    said = " ".join(row["word"] for row in rows if row["end"] <= 60)
    errors = {}
    for name in ("float32", "int8"):
        options = TranscribeOptions(model="whisper-tiny.en", precision=name, align=False)
        words = transcribe(audio, activity, None, options)
        assert words == transcribe(audio, activity, None, options)
        errors[name] = score_words(said, words)
    assert errors["float32"].reference > 80
    assert errors["int8"].errors <= errors["float32"].errors + 0.03 * errors["float32"].reference


def test_the_format_is_the_fastest_that_the_machine_has(monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for bfloat16, int8, best in [(True, True, "bfloat16"), (False, True, "int8"), (False, False, "float32")]:
        known = {"avx512_bf16": bfloat16}
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda known=known: known)
        monkeypatch.setattr(precision, "has_int8", lambda int8=int8: int8)
        assert precision.best_precision() == best


def test_a_format_that_the_machine_lacks_is_refused(monkeypatch):
    monkeypatch.setattr(whisper_decode, "has_int8", lambda: False)
    for name in ("int8", "float13"):
        with pytest.raises(AttuneError, match=name):
            load_model.__wrapped__("whisper-tiny.en", name)


@pytest.mark.parametrize(
    ("tokens", "round_and_round"),
    [
        ([5, 7] * 8, True),
        ([1, 2, 3, *[9] * 8], True),
        ([1, 2, 3, 4] * 8, True),
        ([5, 7] * 7, False),
        ([1, 2, 3, 4, 5] * 20, False),
        ([*[9] * 20, 4], False),
        (list(np.arange(60) % 7), False),
        ([], False),
    ],
)
def test_a_text_that_goes_round_is_told_from_one_that_goes_on(tokens, round_and_round):
    assert goes_round(tokens) is round_and_round
