"""The events of a recording as clips: a folder per label, to be corrected by ear and trained on."""

import collections
import glob
import os
from pathlib import Path

from urbansound.data.audio_files import as_text
from urbansound.data.segments import recording_name, segment_of, segment_path
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
    """Write the clips of a recording's events, but those that were corrected; arguments as those of `clip_paths`.

    A clip was corrected where a file with the recording and the times in its name lies in the folder below another
    label, unless that is the clip of another of these events. All clips of a folder are of the same settings.

    Returns:
      Why some could not be cut, a line; None where all could.
    """
    if not events:
        return None
    places = clip_paths(folder, path, events)
    moved_to = _moved_to(folder, path, places)
    excerpts = [
        Excerpt(start, end, place, f"{as_text(path)}: {start:.3f} to {end:.3f} s, {label}, score {peak:.4f}")
        for (start, end, label, peak, _), place in zip(events, places, strict=True)
        if not moved_to[segment_of(os.path.basename(place))] - {Path(place).parent}
    ]
    try:
        missing = len(excerpts) - write_excerpts(path, excerpts)
    except InputError as error:
        return f"clips that could not be cut: {len(excerpts)} ({error})"
    return f"clips that could not be cut: {missing} (the recording was changed meanwhile)" if missing else None


def _moved_to(folder, path, places):
    """{what `segment_of` returns: folders} of the recording's clips in a folder that are at none of `places`."""
    folders, own = collections.defaultdict(set), set(map(Path, places))
    for clip in Path(folder).rglob(f"{glob.escape(recording_name(path))}_*"):
        if clip not in own:
            folders[segment_of(clip.name)].add(clip.parent)
    return folders
