"""The waveform cache: right values, no stale or broken file, faults reported."""

import os
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
import tensorflow as tf

from urbansound.data import cache, sealed
from urbansound.errors import system_fault


def write(path, samples, rate=8000):
    soundfile.write(path, samples, rate, subtype="FLOAT")
    return str(path)


def test_values_survive_within_a_step_of_int16(tmp_path):
    quiet = 1e-3 * np.sin(np.arange(4000) / 7)
    loud = 3.0 * np.sin(np.arange(4000) / 9)  # beyond full scale, as float files may be
    paths = [write(tmp_path / "quiet.wav", quiet), write(tmp_path / "loud.wav", loud)]
    entries, faults = cache.fill(paths, 8000, tmp_path / "cache")
    assert faults == {}
    for entry, samples in zip(entries, (quiet, loud), strict=True):
        np.testing.assert_allclose(cache.read(entry), samples, atol=np.abs(samples).max() / 32767 * 0.51)


def test_silence_is_kept(tmp_path):
    entries, _ = cache.fill([write(tmp_path / "a.wav", np.zeros(100))], 8000, tmp_path / "cache")
    assert cache.read(entries[0]).numpy().tolist() == [0.0] * 100


def test_a_second_call_decodes_nothing(tmp_path):
    paths = [write(tmp_path / f"{i}.wav", np.full(100, i / 10)) for i in range(3)]
    calls = []
    first, _ = cache.fill(paths, 8000, tmp_path / "cache", lambda *counts: calls.append(counts))
    assert calls == [(1, 3), (2, 3), (3, 3)]
    calls.clear()
    again, _ = cache.fill(paths, 8000, tmp_path / "cache", lambda *counts: calls.append(counts))
    assert again == first
    assert calls == []


def test_a_changed_file_or_rate_gets_a_new_entry(tmp_path):
    path = write(tmp_path / "a.wav", np.zeros(100))
    (entry,), _ = cache.fill([path], 8000, tmp_path / "cache")
    (slower,), _ = cache.fill([path], 4000, tmp_path / "cache")
    write(tmp_path / "a.wav", np.full(100, 0.5))
    os.utime(path, ns=(1, 1))
    (changed,), _ = cache.fill([path], 8000, tmp_path / "cache")
    assert len({entry, slower, changed}) == 3
    assert cache.read(changed).numpy()[50] == pytest.approx(0.5)


@pytest.mark.parametrize("keep", [0, 5, 100])
def test_a_truncated_entry_is_made_again(tmp_path, keep):
    path = write(tmp_path / "a.wav", np.full(100, 0.5))
    (entry,), _ = cache.fill([path], 8000, tmp_path / "cache")
    whole = Path(entry).read_bytes()
    Path(entry).write_bytes(whole[:keep])
    cache.fill([path], 8000, tmp_path / "cache")
    assert Path(entry).read_bytes() == whole


def damaged(whole):
    """{kind: the bytes of a cache file of 100 samples, damaged}: each of the size of a whole one but the last two."""
    header = whole[sealed.SEAL :][: cache.HEADER.size]
    noise = np.random.default_rng(0).bytes(len(whole))
    return {
        "garbage": noise,
        "garbage from byte 8 on": whole[:8] + noise[8:],
        "one bit": whole[:-1] + bytes([whole[-1] ^ 1]),
        "scale of NaN": whole[: sealed.SEAL] + b"\0\0\xc0\x7f" + whole[sealed.SEAL + 4 :],
        "header of no samples": whole[: sealed.SEAL] + header[:4] + bytes(4),
        "nothing": b"",
    }


@pytest.mark.parametrize("kind", damaged(bytes(216)))
def test_a_damaged_entry_is_made_again_and_said_and_never_read(tmp_path, kind, capsys):
    path, other = write(tmp_path / "a.wav", np.full(100, 0.5)), write(tmp_path / "b.wav", np.full(100, 0.2))
    (entry, _), _ = cache.fill([path, other], 8000, tmp_path / "cache")
    assert "damaged" not in capsys.readouterr().err
    whole = Path(entry).read_bytes()
    Path(entry).write_bytes(damaged(whole)[kind])
    with pytest.raises(tf.errors.InvalidArgumentError, match="is damaged; start again: it is then made anew"):
        list(cache.waveforms([entry]))
    capsys.readouterr()
    cache.fill([path, other], 8000, tmp_path / "cache")
    assert capsys.readouterr().err == "cache: 1 damaged waveforms are decoded anew\n"
    assert Path(entry).read_bytes() == whole


@pytest.mark.parametrize(
    "header", [(np.nan, 100), (np.inf, 100), (0.0, 100), (-1.0, 100), (1.0, 0), (1.0, -1), (1.0, 99)]
)
def test_an_entry_that_says_what_no_entry_says_is_made_again(tmp_path, header):
    path = write(tmp_path / "a.wav", np.full(100, 0.5))
    (entry,), _ = cache.fill([path], 8000, tmp_path / "cache")
    whole = Path(entry).read_bytes()
    sealed.write(entry, cache.HEADER.pack(*header), whole[sealed.SEAL + cache.HEADER.size :])
    cache.fill([path], 8000, tmp_path / "cache")
    assert Path(entry).read_bytes() == whole


def test_the_quietest_sound_has_a_scale(tmp_path):
    (entry,), _ = cache.fill([write(tmp_path / "a.wav", np.full(100, 1e-43))], 8000, tmp_path / "cache")
    np.testing.assert_allclose(cache.read(entry), 0, atol=1e-37)


def test_faults_name_their_file_and_the_rest_is_done(tmp_path):
    good = write(tmp_path / "good.wav", np.full(100, 0.5))
    (tmp_path / "bad.wav").write_bytes(b"ID3 this is no sound")
    entries, faults = cache.fill([str(tmp_path / "bad.wav"), good], 8000, tmp_path / "cache")
    assert entries[0] is None
    assert cache.read(entries[1]).shape == (100,)
    assert list(faults) == [0]
    assert faults[0].startswith("no sound that libsndfile can decode")


def test_no_clips_is_no_error(tmp_path):
    entries, faults = cache.fill([], 8000, tmp_path / "cache")
    assert (entries, faults) == ([], {})


def test_a_folder_that_cannot_be_written(tmp_path):
    path = write(tmp_path / "a.wav", np.zeros(100))
    (tmp_path / "cache").write_text("a file stands where the folder should be")
    with pytest.raises(OSError, match="pass --cache_dir=FOLDER") as caught:
        cache.fill([path], 8000, tmp_path / "cache")
    line = system_fault(caught.value)
    assert line.startswith(f"{tmp_path}/cache/waveforms/")
    assert line.endswith(".i16: can't write the cache (Not a directory); pass --cache_dir=FOLDER")


def test_what_killed_processes_left_half_written_is_removed_after_an_hour(tmp_path):
    (entry,), _ = cache.fill([write(tmp_path / "a.wav", np.zeros(100))], 8000, tmp_path / "cache")
    old, new = (Path(entry).with_name(f".{pid}.part.{'0' * 32}.i16") for pid in (1, 2))
    for part in (old, new):
        part.touch()
    os.utime(old, (time.time() - 3700,) * 2)
    cache.fill([write(tmp_path / "b.wav", np.zeros(100))], 8000, tmp_path / "cache")
    assert sorted(path.name for path in Path(entry).parent.iterdir()) == sorted([new.name, Path(entry).name])
