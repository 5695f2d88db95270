"""Sound whose pitch, level, syllables and pauses are known, because it is made here. 16 kHz unless said otherwise."""

from dataclasses import dataclass

import numpy as np

from pipeline.records import Audio, Speech, Turn, Voice, Word

RATE = 16000
VOICES = [Voice(0.0, 1.0, "C", "client", 1.0, ""), Voice(0.0, 1.0, "T", "therapist", 1.0, "")]


def make_voice(f0_hz, level_db=-20.0, rate=RATE):
    """Twelve harmonics falling 6 dB an octave; `f0_hz` one value a sample; RMS `level_db` re full scale."""
    phase = 2 * np.pi * np.cumsum(f0_hz) / rate
    sound = sum(np.sin(k * phase) / k for k in range(1, 13))
    return (sound / np.sqrt(np.mean(sound**2)) * 10 ** (level_db / 20)).astype(np.float32)


def make_tone(hz, seconds, level_db=-20.0, rate=RATE):
    return make_voice(np.full(round(seconds * rate), float(hz)), level_db, rate)


def make_syllables(hz, count, per_s=4.0, level_db=-20.0, range_st=2.0, rate=RATE):
    """`count` syllables, each a swell 30 dB deep, the pitch falling by `range_st` semitones over all of them."""
    n = round(count / per_s * rate)
    at = np.arange(n) / rate
    f0 = hz * 2.0 ** (-range_st / 12 * (at / at[-1] - 0.5))
    swell = 10 ** (-30.0 / 20 * (0.5 + 0.5 * np.cos(2 * np.pi * per_s * at)))
    return make_voice(f0, level_db, rate) * swell.astype(np.float32)


def make_noise(seconds, level_db, seed=0, rate=RATE):
    chance = np.random.default_rng(seed)
    return (chance.standard_normal(round(seconds * rate)) * 10 ** (level_db / 20)).astype(np.float32)


def make_music(seconds, level_db=-20.0, rate=RATE):
    """Four chords over and over, each struck twice a second, with overtones that fade."""
    at = np.arange(round(seconds * rate)) / rate
    chords = np.array([[262, 330, 392], [220, 262, 330], [175, 220, 262], [196, 247, 294]], dtype=float)
    notes = chords[(at / 2).astype(int) % len(chords)].T
    sound = np.exp(-(at % 0.5) * 3) * sum(np.sin(2 * np.pi * k * hz * at) / k for hz in notes for k in (1, 2, 3))
    return (sound / np.sqrt(np.mean(sound**2)) * 10 ** (level_db / 20)).astype(np.float32)


def whisper_like(speech, rate=RATE, seed=0):
    """The same words whispered: noise through each frame's vocal tract (LPC of order 18), with the frame's level."""
    import librosa
    from scipy.signal import lfilter

    size, hop = round(0.032 * rate), round(0.016 * rate)
    window, noise = np.hanning(size), np.random.default_rng(seed).standard_normal(len(speech))
    out = np.zeros(len(speech))
    for at in range(0, len(speech) - size, hop):
        frame = speech[at : at + size] * window
        level = np.sqrt(np.mean(frame**2))
        if level > 1e-4:
            breath = lfilter([1.0], librosa.lpc(frame.astype(float), order=18), noise[at : at + size]) * window
            out[at : at + size] += breath * level / np.sqrt(np.mean(breath**2))
    return out.astype(np.float32)


def silence(seconds, rate=RATE):
    return np.zeros(round(seconds * rate), dtype=np.float32)


def one_client(sound, rate=RATE):
    """Audio in which the client is said to speak throughout: (audio, speech, voices)."""
    audio = Audio(np.atleast_2d(sound).astype(np.float32), rate)
    return audio, [Speech(0.0, audio.duration_s, "C")], VOICES


@dataclass(frozen=True)
class Made:
    audio: Audio
    speech: list
    turns: list


def make_session(rounds=16, seed=1, lead_s=0.0, room_db=-70.0):
    """Therapist and client in turn, 0.5 s apart, over a quiet room; the client's pitch, level and rate vary by turn."""
    chance = np.random.default_rng(seed)
    pieces, speech, turns = [silence(lead_s)], [], []
    at = lead_s
    for i in range(2 * rounds):
        who = "T" if i % 2 == 0 else "C"
        count = int(chance.integers(6, 13))
        hz = 120.0 if who == "T" else 200.0 * 2 ** (chance.normal(0, 1.5) / 12)
        sound = make_syllables(hz, count, chance.uniform(3, 5), chance.normal(-22, 2), chance.uniform(2, 6))
        end = at + sound.size / RATE
        gap = round(0.3 + chance.uniform(0, 0.6), 2)
        speech.append(Speech(at, end, who))
        step = (end - at) / count
        words = tuple(Word(at + k * step, at + (k + 0.8) * step, f"word{k}") for k in range(count))
        turns.append(Turn(at, end, who, "therapist" if who == "T" else "client", words))
        pieces += [sound, silence(gap)]
        at = end + round(gap * RATE) / RATE
    sound = np.concatenate(pieces)
    return Made(Audio((sound + _room(sound.size, lead_s, room_db))[None], RATE), speech, turns)


def _room(samples, lead_s, room_db):
    """Room noise that is the same for the session itself whatever comes before it."""
    lead = round(lead_s * RATE)
    own = make_noise((samples - lead) / RATE, room_db, seed=7)
    return np.concatenate([make_noise(lead_s, room_db, seed=8), own])
