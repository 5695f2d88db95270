"""pyannote.audio's own speaker diarization pipeline, as an engine to choose.

Built by hand from the shipped weights: segmentation-3.0 hears 10 s at a time, CAM++ gives each local speaker a voice,
k-means joins them over the session. Or a whole pipeline that the clinic has added (for instance community-1), from its
folder. It hears two alike voices as one within its 10 s more often than the default engine does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline import models
from pipeline.records import Audio, Speech
from pipeline.speech.engines.pyannote_models import import_pyannote, load_segmentation
from pipeline.speech.engines.segmentation import CHUNK_FRAMES

if TYPE_CHECKING:
    import numpy as np
    import torch

LOCAL_SPEAKERS = 3  # segmentation-3.0 tells three people apart within a chunk
SEGMENTATION_STEP = 0.1  # of a chunk: the pipeline's own default
LEAST_MASK_FRAMES = 12  # of segmentation, 0.2 s: less speech gives no voice


def diarize(audio: Audio, speakers: int, model: str = "", overlap: bool = True) -> list[Speech]:
    """Speech by pyannote's pipeline, speakers named as it names them.

    speakers  how many people to look for; pyannote finds fewer where fewer local voices exist
    model     weights of a whole pipeline on this machine; "" builds one from the shipped weights
    overlap   keep talk of two at once; otherwise the pipeline's exclusive output
    raises    AttuneError when weights are missing
    """
    import torch

    pipeline = _load_pipeline(model) if model else _build_pipeline()
    file = {"waveform": torch.from_numpy(audio.mono)[None], "sample_rate": audio.rate_hz, "uri": "session"}
    found = pipeline(file, num_speakers=speakers)
    heard = found.speaker_diarization if overlap else found.exclusive_speaker_diarization
    return [
        Speech(float(turn.start), float(min(turn.end, audio.duration_s)), label)
        for turn, _, label in heard.itertracks(yield_label=True)
        if turn.start < audio.duration_s
    ]


def _load_pipeline(name: str) -> Any:
    return import_pyannote().Pipeline.from_pretrained(models.weights(name))


def _build_pipeline() -> Any:
    segmentation = load_segmentation()
    from pyannote.audio import Audio as Reader
    from pyannote.audio.core.plda import PLDA
    from pyannote.audio.pipelines.clustering import KMeansClustering
    from pyannote.audio.pipelines.speaker_diarization import SpeakerDiarization

    # Any other clustering would load embeddings by name at once, and without a PLDA object the pipeline would fetch
    # one it does not use from the hub: so it is built without voices, which are put in afterwards.
    pipeline = SpeakerDiarization(
        segmentation=segmentation,
        segmentation_step=SEGMENTATION_STEP,
        plda=PLDA.__new__(PLDA),
        clustering="OracleClustering",
        segmentation_batch_size=8,
        embedding_batch_size=LOCAL_SPEAKERS,
        embedding_exclude_overlap=True,
    )
    voices = CampplusVoices()
    pipeline._embedding = voices
    pipeline._audio = Reader(sample_rate=voices.sample_rate, mono="downmix")
    pipeline.klustering = "KMeansClustering"
    pipeline.clustering = KMeansClustering(metric=voices.metric)
    pipeline._expects_num_speakers = True
    return pipeline.instantiate({"segmentation": {"min_duration_off": 0.0}})


@dataclass(frozen=True)
class CampplusVoices:
    """CAM++ as the pipeline expects an embedding model: waveforms and masks in, one embedding a mask out."""

    sample_rate: int = 16000
    dimension: int = 192
    metric: str = "cosine"
    min_num_samples: int = 1600  # 0.1 s

    def __call__(self, waveforms: torch.Tensor, masks: torch.Tensor) -> np.ndarray:
        """(batch, 1, samples) and (batch, CHUNK_FRAMES) -> (batch, 192), NaN where a mask holds too little.

        The masks of one chunk come together with its waveform repeated, so each waveform is heard once.
        """
        import numpy as np
        import torch

        from pipeline.speech.engines import campplus

        voices = np.full((len(waveforms), self.dimension), np.nan, dtype=np.float32)
        heard: torch.Tensor | None = None
        for i, (waveform, mask) in enumerate(zip(waveforms[:, 0], masks, strict=True)):
            if mask.sum() < LEAST_MASK_FRAMES:
                continue
            if heard is None or not torch.equal(waveform, waveforms[i - 1, 0]):
                heard = campplus.hear(waveform.numpy())
            at = torch.arange(heard.shape[-1]) * CHUNK_FRAMES // heard.shape[-1]
            kept = heard[:, mask[at] > 0.5]
            if kept.shape[-1] >= campplus.LEAST_FRAMES:
                voices[i] = campplus.embed_frames(kept).numpy()
        return voices
