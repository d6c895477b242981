"""The events of a recording as clips: a folder per label, to be corrected by ear and trained on."""

import os

from urbansound.data.audio_files import as_text
from urbansound.data.segments import recording_name, segment_path
from urbansound.errors import InputError
from urbansound.inference.excerpts import Excerpt, write_excerpts


def clip_paths(folder, path, events):
    """Where the clips of a recording's events lie.

    Args:
      folder: of the clips.
      path: of the recording.
      events: [start, end, label, peak, mean] of each.

    Returns:
      list of str.
    """
    recording = recording_name(path)
    return [
        os.path.join(folder, segment_path(recording, start, end, label, peak)) for start, end, label, peak, _ in events
    ]


def cut_clips(folder, path, events):
    """Write the clips of a recording's events; arguments as those of `clip_paths`.

    Returns:
      Why some could not be cut, a line; None where all could.
    """
    if not events:
        return None
    places = clip_paths(folder, path, events)
    excerpts = [
        Excerpt(start, end, place, f"{as_text(path)}: {start:.3f} to {end:.3f} s, {label}, score {peak:.4f}")
        for (start, end, label, peak, _), place in zip(events, places, strict=True)
    ]
    try:
        missing = len(excerpts) - write_excerpts(path, excerpts)
    except InputError as error:
        return f"{len(excerpts)} clips could not be cut: {error}"
    return f"{missing} clips could not be cut: the recording was changed meanwhile" if missing else None
