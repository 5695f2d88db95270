"""pyannote.audio, imported without surprises, and its segmentation model as its own pipeline wants it.

The default engine hears with the same weights through `engines.segmentation`, without this package.
"""

from __future__ import annotations

import os
import sys
from functools import cache
from types import ModuleType

from pipeline import models


def import_pyannote() -> ModuleType:
    """`pyannote.audio`, with its telemetry and every hub look-up off.

    Where torchaudio's compiled part does not load (the package index serves a CUDA build of it also to machines with
    a CPU torch), a stand-in takes its place: pyannote needs only torchaudio's Python parts.
    """
    os.environ["PYANNOTE_METRICS_ENABLED"] = "0"
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["DO_NOT_TRACK"] = "1"
    _make_torchaudio_importable()
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "torchcodec is not installed correctly": sound is always given decoded
        import pyannote.audio
    return pyannote.audio


def _make_torchaudio_importable() -> None:
    try:
        import torchaudio
    except OSError:
        for name in [name for name in sys.modules if name.split(".")[0] == "torchaudio"]:
            del sys.modules[name]
        extension = ModuleType("torchaudio._extension")
        extension._IS_TORCHAUDIO_EXT_AVAILABLE = False
        extension._IS_ALIGN_AVAILABLE = False
        extension.fail_if_no_align = lambda function: function
        sys.modules["torchaudio._extension"] = extension
        import torchaudio  # noqa: F401


@cache
def load_segmentation():
    """The segmentation model in evaluation mode, on CUDA where there is one; once per process.

    raises   AttuneError when its weights are missing or altered
    """
    folder = models.weights("segmentation-3.0")
    pyannote_audio = import_pyannote()
    import warnings

    import torch

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a checkpoint from pyannote 3 under pyannote 4
        model = pyannote_audio.Model.from_pretrained(folder / "pytorch_model.bin", map_location=device)
    return model.eval()
