"""The segmentation network written here is pyannote.audio's own, and needs none of that package."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from pipeline.speech.engines.segmentation import CHUNK_FRAMES, CHUNK_SAMPLES, build_network, hear, load_network
from tests.made_speech import make_noise

RATE = 16000


@pytest.mark.models
def test_it_hears_what_pyannotes_own_model_hears(root):
    import torch

    from pipeline.speech.audio import AudioOptions, decode_recording
    from pipeline.speech.engines.pyannote_models import load_segmentation

    talk = decode_recording(root / "sample_audio" / "acted_session_2.m4a", AudioOptions()).mono[: 2 * CHUNK_SAMPLES]
    sounds = torch.from_numpy(np.stack([*talk.reshape(2, -1), make_noise(10, -30.0).astype(np.float32)]))
    network, theirs = load_network(), load_segmentation()
    with torch.inference_mode():
        expected = theirs(sounds[:, None].to(theirs.device)).exp().cpu()
    found = hear(network, sounds.to(network.device)).cpu()
    assert found.shape == (3, CHUNK_FRAMES, 7)
    assert found[0].argmax(-1).unique().numel() > 2, "the talk has silence and more than one voice"
    assert (found - expected).abs().max() < 1e-4


@pytest.mark.models
def test_finding_activity_loads_no_pyannote():
    script = """
import sys, numpy
from pipeline.records import Audio
from pipeline.speech.activity import ActivityOptions, find_activity
find_activity(Audio(numpy.zeros((1, 16000), dtype=numpy.float32), 16000), None, ActivityOptions())
print(sorted({name.split(".")[0] for name in sys.modules} & {"torch", "pyannote", "lightning", "torchaudio"}))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['torch']"


def test_weights_of_another_network_are_refused():
    import torch

    with pytest.raises(ValueError, match="another network"):
        build_network({"lstm.weight_ih_l0": torch.zeros(512, 60)}, torch.device("cpu"))
