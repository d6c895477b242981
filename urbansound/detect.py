"""Find events in recordings of any length, or in a microphone's sound: when which sound was heard.

python -m urbansound.detect --model=runs/… --out=events recording.wav folder 'night/*.wav' …
python -m urbansound.detect --model=urbansound_int8.tflite --format=csv,audacity,raven --out=events night/
python -m urbansound.detect --model=runs/… --out=events --timeline --clips=clips night/
python -m urbansound.detect --model=runs/… --live --print=jsonl
arecord -f S16_LE -r 44100 | python -m urbansound.detect --model=runs/… --out=events --print=jsonl -

--model is required, and so are --out and a recording, except with --live.
"""

import functools
import json
import os
import sys
import zoneinfo

from absl import flags

from urbansound import command
from urbansound.errors import InputError
from urbansound.text import shown

MODEL = flags.DEFINE_string("model", None, "run directory, SavedModel or .tflite file of python -m export")
OUT = flags.DEFINE_string("out", None, "folder of the tables; the same command goes on with what it holds")
FORMAT = flags.DEFINE_list("format", ["csv"], "tables: csv, audacity, raven, kaleidoscope, sed, parquet; scores")
TIMELINE = flags.DEFINE_bool("timeline", False, "also draw each recording, long ones by the hour, next to its tables")
CLIPS = flags.DEFINE_string(
    "clips", None, "folder into which events are cut out as WAV, each into that of its label: --dataset=folder reads it"
)
LIVE = flags.DEFINE_bool("live", False, "listen to a microphone until Ctrl-C; needs sounddevice and PortAudio")
DEVICE = flags.DEFINE_string("device", None, "with --live: the input device's number or name; default: the system's")
PRINT = flags.DEFINE_enum(
    "print",
    "text",
    ["text", "jsonl", "none"],
    "how events are printed: each once it cannot change, so not in the order of starts, which the tables have",
)
WINDOW_SECONDS = flags.DEFINE_float("window_seconds", None, "length of a window; default: the model's own")
WINDOW_HOP_SECONDS = flags.DEFINE_float(
    "window_hop_seconds", None, "from one window's start to the next's; default: a quarter of a window"
)
SMOOTH_SECONDS = flags.DEFINE_float(
    "smooth_seconds", 1.0, "the score at a window is the mean over the windows whose middles are within half of this"
)
THRESHOLD = flags.DEFINE_string(
    "threshold",
    None,
    "default: an event begins at a score of 0.5, and windows that are none of the model's classes, by its thresholds, "
    "begin none. A number: an event begins at that score, and all windows count. classes: each class has the score of "
    "the model's thresholds, and windows that are none of the classes begin none.",
)
OFF = flags.DEFINE_float("off", 0.3, "an event ends when its score falls below this share of --threshold")
MIN_SECONDS = flags.DEFINE_float("min_seconds", 0.0, "shorter events are dropped")
GAP_SECONDS = flags.DEFINE_float("gap_seconds", 1.0, "two events of a class at most this far apart are one")
TIME_ZONE = flags.DEFINE_string(
    "time_zone", None, "zone of recordings whose metadata or name tell a time without one, such as Europe/Berlin"
)
JOBS = flags.DEFINE_integer(
    "jobs",
    1,
    "recordings that are listened to at once, a process each. Each process loads the model first, which takes some "
    "seconds, so several pay where one takes minutes.",
    lower_bound=1,
)


def main(argv):
    """Write the tables, print events as they are found; what is broken goes to stderr, and the exit code is then 2."""
    paths = argv[1:]
    if LIVE.value and paths:
        raise InputError(f"pass either --live or recordings, not both. Received: {paths[0]}")
    given = {"--model": MODEL.value, "--out": LIVE.value or OUT.value, "recordings": LIVE.value or paths}
    if missing := [name for name, value in given.items() if not value]:
        example = "python -m urbansound.detect --model=RUN --out=FOLDER PATH …"
        raise InputError(f"missing: {', '.join(missing)}; pass {example}")
    if DEVICE.value is not None and not LIVE.value:
        raise InputError("--device is of --live; pass both or none")
    return _live() if LIVE.value else recordings(paths, MODEL.value, OUT.value, FORMAT.value)


def _plan(model):
    zone, threshold = _zone(TIME_ZONE.value), _threshold(THRESHOLD.value)
    from urbansound.inference.detection import event_settings
    from urbansound.inference.listeners import Plan

    settings = functools.partial(
        event_settings,
        threshold=threshold,
        smooth_seconds=SMOOTH_SECONDS.value,
        off=OFF.value,
        min_seconds=MIN_SECONDS.value,
        gap_seconds=GAP_SECONDS.value,
    )
    return Plan(
        model,
        WINDOW_SECONDS.value,
        WINDOW_HOP_SECONDS.value,
        settings,
        zone,
        timeline=TIMELINE.value,
        clips=CLIPS.value,
    )


def recordings(paths, model, out, formats):
    """Listen to recordings as the flags say, with this model, into these tables; `main`'s exit code."""
    plan = _plan(model)
    from urbansound.data import audio_files
    from urbansound.inference.listeners import STANDARD_INPUT
    from urbansound.inference.recordings import detect_all
    from urbansound.progress import bar

    if not any(formats):
        raise InputError("format names no table; pass --format=csv, or leave it out")
    if paths != [STANDARD_INPUT]:
        _check_clips(paths)
        found = audio_files.find(paths)
        if found.summary:
            print(shown(found.summary), file=sys.stderr)
        paths = list({os.path.realpath(path): path for path in reversed(found.files)}.values())[::-1]
        if len(paths) < len(found.files):
            print(f"given more than once: {len(found.files) - len(paths)}", file=sys.stderr)
    with bar("listening", unit="recording") as on_progress:
        show = lambda done, total, rate: on_progress(round(done, 2), total, f"{rate:,.0f} times real time")  # noqa: E731
        summary = detect_all(plan, paths, out, formats, JOBS.value, _printer(PRINT.value), show)
    new = f"listened to {summary.listened:,.0f} s in {summary.took:,.1f} s" if summary.listened else "no new sound"
    counts = zip(summary.combined, ("recording", "event"), strict=True)
    combined = ", ".join(f"{count} {name}{'s' * (count != 1)}" for count, name in counts)
    print(
        f"recordings: {len(paths)}, {summary.seconds:,.0f} s of sound; events: {summary.events}; {new}; tables of "
        f"{combined}, in {shown(out)}",
        file=sys.stderr,
    )
    for row in summary.faults.itertuples():
        print(shown(f"{row.path}: {row.fault}"), file=sys.stderr)
    return 2 if len(summary.faults) else 0


def _live():
    plan = _plan(MODEL.value)
    from urbansound.inference.live import detect_live

    device = int(DEVICE.value) if (DEVICE.value or "").isdecimal() else DEVICE.value
    formats = FORMAT.value if OUT.value or flags.FLAGS["format"].present else ()
    begun = lambda name, rate: print(f"{shown(name)}, {rate} Hz; Ctrl-C ends", file=sys.stderr, flush=True)  # noqa: E731
    session = detect_live(plan, device, OUT.value, formats, _printer(PRINT.value), begun)
    tables = f"; tables in {shown(OUT.value)}" if OUT.value else ""
    print(
        f"{session.name}: {session.seconds:,.0f} s of sound; events: {session.events}; sound was lost "
        f"{session.lost} times{tables}",
        file=sys.stderr,
    )
    if session.fault:
        print(shown(f"{session.name}: {session.fault}"), file=sys.stderr)
    return 2 if session.fault else 0


def _check_clips(paths):
    """Raise InputError where the clips would lie in a folder that is listened to, and be taken for recordings."""
    for path in paths if CLIPS.value else ():
        folder, clips = os.path.realpath(path), os.path.realpath(CLIPS.value)
        if os.path.isdir(folder) and os.path.commonpath([folder, clips]) == folder:
            raise InputError(f"{CLIPS.value}: lies in {path}, so that clips would be recordings; pass another --clips")


def _threshold(text):
    if text is None or text == "classes":
        return text
    try:
        threshold = float(text)
    except ValueError:
        threshold = 0.0
    if not 0 < threshold <= 1:
        raise InputError(f"threshold must be a number above 0 and at most 1, or classes. Received: {text}")
    return threshold


def _zone(name):
    if name is None:
        return None
    try:
        return zoneinfo.ZoneInfo(name)
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
        raise InputError(f"time_zone must be a name such as Europe/Berlin or UTC. Received: {name}") from None


def _printer(form):
    """A function of (path, events, datetimes when they began, if these are known by now) that prints them, or None."""

    def text(path, events, clocks=()):
        names = [clock.isoformat(" ", "milliseconds") for clock in clocks] or [shown(path)] * len(events)
        for event, name in zip(events, names, strict=True):
            print(f"{name}  {event.start:.2f} to {event.end:.2f} s  {shown(event.label)}  {event.peak:.2f}", flush=True)

    def jsonl(path, events, clocks=()):
        from urbansound.data.audio_files import as_text

        known = [{"clock": clock.isoformat(timespec="milliseconds")} for clock in clocks] or [{}] * len(events)
        for event, clock in zip(events, known, strict=True):
            row = {"path": as_text(path), **event._asdict(), **clock}
            print(json.dumps(row, ensure_ascii=sys.stdout.isatty()), flush=True)

    return {"text": text, "jsonl": jsonl, "none": None}[form]


if __name__ == "__main__":
    command.run(main, takes_paths=True)
