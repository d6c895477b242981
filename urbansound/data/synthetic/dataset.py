"""The default data set, which the program makes itself: UrbanSound8K's ten classes by synthesis.

It has UrbanSound8K's layout, table and traps: each recording has a source, a room, a recorder and a
level of its own, and gives two to four clips that are alike; no recording is in two folds; some
clips lie beneath another sound; a few are in other encodings and rates. The same seed and VERSION
give the same files.
"""

import dataclasses
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile
from scipy import fft, signal

from urbansound import cores
from urbansound.data.synthetic import LICENCE, sounds
from urbansound.data.synthetic.waves import RATE, log_uniform, tilted_noise, unit
from urbansound.errors import InputError, reason
from urbansound.files import new_folder, read_json, write_json

VERSION = 1  # to be raised whenever the same seed would give other files
FOLDS = 5
MARKER = "synthetic.json"
STREAMS = ("plan", "voice", "room", "take", "encoding")  # of random numbers
README = f"""This data set is synthetic: a program (urbansound/data/synthetic/) computed every clip in it.
It holds no recording of anything and no part of UrbanSound8K, whose classes it imitates and whose
layout it copies. Results on it say nothing about real sounds. Use it as you like ({LICENCE}).
"""


@dataclasses.dataclass(frozen=True)
class Kind:
    """A class of sound; a clip lasts between `shortest` and `longest` seconds, cut at 4."""

    name: str
    sound: Callable
    shortest: float
    longest: float
    background_share: float


# Class IDs are places in this table. The last column is the share of recordings of salience 2.
KINDS = (
    Kind("air_conditioner", sounds.air_conditioner, 3.0, 12, 0.35),
    Kind("car_horn", sounds.car_horn, 0.5, 6, 0.35),
    Kind("children_playing", sounds.children_playing, 3.0, 12, 0.4),
    Kind("dog_bark", sounds.dog_bark, 0.5, 12, 0.3),
    Kind("drilling", sounds.drilling, 1.0, 12, 0.1),
    Kind("engine_idling", sounds.engine_idling, 3.0, 12, 0.1),
    Kind("gun_shot", sounds.gun_shot, 0.7, 4, 0.1),
    Kind("jackhammer", sounds.jackhammer, 1.0, 12, 0.25),
    Kind("siren", sounds.siren, 3.5, 12, 0.6),
    Kind("street_music", sounds.street_music, 4.0, 12, 0.35),
)
BACKDROPS = (0, 2, 5, 9)  # class IDs that are mixed faintly into others
SNR_DB = {1: (15, 40), 2: (3, 12)}  # by salience: foreground, background
# (rate in Hz, channels, encoding, share of recordings)
ENCODINGS = (
    (22050, 1, "PCM_16", 0.86),
    (44100, 2, "PCM_24", 0.07),
    (48000, 2, "PCM_16", 0.04),
    (11025, 1, "PCM_U8", 0.03),
)


def ensure(root, seed, recordings_per_class=40, on_progress=None):
    """Make the data set under `root` unless it is there already, whole and with these settings.

    It is made next to its place and renamed (`files.new_folder`), so that an interruption leaves nothing
    half-written. One made with another seed, size or VERSION is replaced.

    Args:
      root: folder that gets the folder UrbanSound8K; made if absent.
      seed: non-negative int that decides every sample.
      recordings_per_class: each gives two to four clips; recording r is in fold r % 5 + 1.
      on_progress: called with (done, total) after each clip.

    Returns:
      Path of the folder UrbanSound8K, with audio/fold1 to fold5 and metadata/UrbanSound8K.csv.

    Raises:
      InputError: `root`/UrbanSound8K exists and is not a synthetic data set, or can't be written.
    """
    home = Path(root) / "UrbanSound8K"
    table = clip_table(seed, recordings_per_class)
    marker = {"version": VERSION, "seed": seed, "recordings_per_class": recordings_per_class, "clips": len(table)}
    if _is_whole(home, marker):
        return home
    if home.exists() and not (home / MARKER).exists():
        raise InputError(f"{home}: exists and is not synthetic; move it away or choose another folder")
    try:
        with new_folder(home) as part:
            _write(part, table, seed, on_progress)
            write_json(part / MARKER, marker)
            if not _is_whole(home, marker):  # else another process made the same one meanwhile
                shutil.rmtree(home, ignore_errors=True)
    except (OSError, InputError) as error:
        if not _is_whole(home, marker):
            fault = error if isinstance(error, InputError) else reason(error)
            raise InputError(f"{home}: the synthetic data set can't be written ({fault})") from None
    return home


def clip_table(seed, recordings_per_class):
    """UrbanSound8K's table of clips.

    Returns:
      DataFrame with the official columns slice_file_name, fsID, start and end (s), salience, fold,
      classID, class; clips of a recording follow one another in time.
    """
    rows = []
    for class_id, kind in enumerate(KINDS):
        for recording in range(recordings_per_class):
            draws = _generator(seed, "plan", class_id, recording)
            fs_id = 100000 + 10000 * class_id + recording
            salience = 2 if draws.random() < kind.background_share else 1
            start = 0.0
            for piece in range(draws.integers(2, 5)):
                end = round(start + min(log_uniform(draws, kind.shortest, kind.longest), 4), 1)
                name = f"{fs_id}-{class_id}-0-{piece}.wav"
                rows.append((name, fs_id, start, end, salience, recording % FOLDS + 1, class_id, kind.name))
                start = end
    columns = ["slice_file_name", "fsID", "start", "end", "salience", "fold", "classID", "class"]
    return pd.DataFrame(rows, columns=columns)


def render(clip, seed):
    """The waveform of one row of `clip_table`: float64 [samples] at RATE, within -1 and 1.

    What belongs to its recording is drawn alike for every clip of that recording.
    """
    samples = round((clip.end - clip.start) * RATE)
    piece = int(clip.slice_file_name.split("-")[3].removesuffix(".wav"))
    voice, room = (_generator(seed, stream, clip.classID, clip.fsID) for stream in ("voice", "room"))
    take = _generator(seed, "take", clip.classID, clip.fsID, piece)

    reverb_seconds, wet = log_uniform(room, 0.1, 0.8), room.uniform(0, 0.4)
    reverb = tilted_noise(room, round(reverb_seconds * RATE), room.uniform(1, 6))
    reverb *= np.exp(-5 * np.linspace(0, 1, len(reverb)))
    backdrop = KINDS[room.choice(BACKDROPS)].sound
    backdrop_level, slope = max(room.uniform(-1, 0.5), 0), room.uniform(1, 7)
    snr_db, peak_db = room.uniform(*SNR_DB[clip.salience]), room.uniform(-18, 1)
    recorder = _recorder(room)

    dry = KINDS[clip.classID].sound(voice, take, samples)
    sound = unit(dry) + wet * unit(signal.fftconvolve(dry, reverb)[:samples])
    ambience = unit(tilted_noise(take, samples, slope))
    if backdrop_level:
        ambience += backdrop_level * unit(backdrop(room, take, samples))
    mix = recorder(unit(sound) + 10 ** (-snr_db / 20) * unit(ambience))
    return np.clip(mix / np.max(np.abs(mix)) * 10 ** (peak_db / 20), -1, 1)


def _recorder(room):
    """A recorder's frequency response: a function of a wave, flat but for bumps and both ends."""
    knots_hz = np.geomspace(60, RATE / 2, 8)
    bumps_db = room.normal(0, 2.5, len(knots_hz))
    low_hz, high_hz = log_uniform(room, 20, 150), log_uniform(room, 6000, 20000)

    def record(wave):
        frequency = fft.rfftfreq(len(wave), 1 / RATE)
        gain_db = np.interp(np.log(np.maximum(frequency, 1)), np.log(knots_hz), bumps_db)
        ends = (1 + (low_hz / np.maximum(frequency, 1)) ** 4) * (1 + (frequency / high_hz) ** 8)
        return fft.irfft(fft.rfft(wave) * 10 ** (gain_db / 20) / np.sqrt(ends), len(wave))

    return record


def _write(folder, table, seed, on_progress):
    for fold in range(1, FOLDS + 1):
        (folder / "audio" / f"fold{fold}").mkdir(parents=True)

    def write_clip(clip):
        path = folder / "audio" / f"fold{clip.fold}" / clip.slice_file_name
        _write_wav(path, render(clip, seed), _generator(seed, "encoding", clip.classID, clip.fsID))

    pool = ThreadPoolExecutor(cores.usable())
    try:
        for done, _ in enumerate(pool.map(write_clip, table.itertuples()), 1):
            if on_progress:
                on_progress(done, len(table))
    finally:
        pool.shutdown(cancel_futures=True)  # Ctrl-C does not wait for the clips still queued
    (folder / "metadata").mkdir()
    table.to_csv(folder / "metadata" / "UrbanSound8K.csv", index=False)
    (folder / "README.txt").write_text(README)


def _write_wav(path, wave, draws):
    rate, channels, encoding, _ = ENCODINGS[draws.choice(len(ENCODINGS), p=[row[3] for row in ENCODINGS])]
    if rate != RATE:
        common = np.gcd(rate, RATE)
        wave = signal.resample_poly(wave, rate // common, RATE // common)
    if channels == 2:
        wave = np.stack([wave, draws.uniform(0.5, 1) * np.roll(wave, draws.integers(20))], axis=1)
    soundfile.write(path, np.clip(wave, -1, 1), rate, subtype=encoding)


def _is_whole(home, marker):
    try:
        same = read_json(home / MARKER) == marker
    except InputError:
        return False
    return same and len(list(home.glob("audio/fold*/*.wav"))) == marker["clips"]


def _generator(seed, stream, class_id, recording, piece=0):
    """Random numbers of their own for each purpose and recording, whatever else was drawn before."""
    key = (STREAMS.index(stream), class_id, recording, piece)
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))
