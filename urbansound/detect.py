"""Find events in recordings of any length: when which sound was heard.

python -m urbansound.detect --model=runs/… --out=events recording.wav folder …
python -m urbansound.detect --model=urbansound_int8.tflite --format=csv,audacity,raven --out=events night/
arecord -f S16_LE -r 44100 | python -m urbansound.detect --model=runs/… --out=events --print=jsonl -
"""

import json
import sys
import zoneinfo

from absl import flags

from urbansound import command
from urbansound.errors import InputError
from urbansound.text import shown

MODEL = flags.DEFINE_string("model", None, "run directory, SavedModel or .tflite file of python -m export")
OUT = flags.DEFINE_string("out", None, "folder of the tables; where it is there, the same command goes on with it")
FORMAT = flags.DEFINE_list("format", ["csv"], "tables: csv, audacity, raven, kaleidoscope, sed, parquet; scores")
PRINT = flags.DEFINE_enum("print", "text", ["text", "jsonl", "none"], "how events are printed as they are found")
WINDOW_SECONDS = flags.DEFINE_float("window_seconds", None, "length of a window; default: the model's own")
WINDOW_HOP_SECONDS = flags.DEFINE_float(
    "window_hop_seconds", None, "from one window's start to the next's; default: a quarter of a window"
)
SMOOTH_SECONDS = flags.DEFINE_float("smooth_seconds", 0.0, "scores are means over windows this far apart")
THRESHOLD = flags.DEFINE_float("threshold", 0.5, "score at which an event begins", lower_bound=0)
OFF = flags.DEFINE_float("off", 0.5, "an event ends below this share of --threshold")
MIN_SECONDS = flags.DEFINE_float("min_seconds", 0.0, "shorter events are dropped")
GAP_SECONDS = flags.DEFINE_float("gap_seconds", 0.5, "two events of a class at most this far apart are one")
TIME_ZONE = flags.DEFINE_string(
    "time_zone", None, "zone of recordings whose metadata or name tell a time without one, such as Europe/Berlin"
)
JOBS = flags.DEFINE_integer("jobs", 1, "recordings that are listened to at once, a process each", lower_bound=1)


def main(argv):
    """Write the tables, print events as they are found; broken recordings go to stderr, and the exit code is then 2."""
    if MODEL.value is None or OUT.value is None or len(argv) < 2:
        raise InputError("say which model, folder, recordings: python -m urbansound.detect --model=M --out=DIR PATH …")
    zone = _zone(TIME_ZONE.value)
    from urbansound.data import audio_files
    from urbansound.inference.events import EventSettings
    from urbansound.inference.listeners import STANDARD_INPUT, Plan
    from urbansound.inference.recordings import detect_all
    from urbansound.progress import bar

    settings = EventSettings(
        smooth_seconds=SMOOTH_SECONDS.value,
        on=THRESHOLD.value,
        off=OFF.value,
        min_seconds=MIN_SECONDS.value,
        gap_seconds=GAP_SECONDS.value,
    )
    plan = Plan(MODEL.value, WINDOW_SECONDS.value, WINDOW_HOP_SECONDS.value, settings, zone)
    if argv[1:] == [STANDARD_INPUT]:
        paths = argv[1:]
    else:
        found = audio_files.find(argv[1:])
        if found.summary:
            print(shown(found.summary), file=sys.stderr)
        paths = list(dict.fromkeys(found.files))
    with bar("listening", unit="recording") as on_progress:
        show = lambda done, total, rate: on_progress(round(done, 2), total, f"{rate:,.0f} times real time")  # noqa: E731
        summary = detect_all(plan, paths, OUT.value, FORMAT.value, JOBS.value, _printer(PRINT.value), show)
    print(
        f"recordings: {len(paths)}, {summary.seconds:,.0f} s of sound; events: {summary.events}; listened to "
        f"{summary.listened:,.0f} s in {summary.took:,.1f} s; tables in {shown(OUT.value)}",
        file=sys.stderr,
    )
    for row in summary.faults.itertuples():
        print(shown(f"{row.path}: {row.fault}"), file=sys.stderr)
    return 2 if len(summary.faults) else 0


def _zone(name):
    if name is None:
        return None
    try:
        return zoneinfo.ZoneInfo(name)
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
        raise InputError(f"time_zone must be a name such as Europe/Berlin or UTC. Received: {name}") from None


def _printer(form):
    """A function of (path, events) that prints them, or None."""

    def text(path, events):
        for event in events:
            print(
                f"{shown(path)}  {event.start:.2f} to {event.end:.2f} s  {shown(event.label)}  {event.peak:.2f}",
                flush=True,
            )

    def jsonl(path, events):
        from urbansound.data.audio_files import as_text

        for event in events:
            print(json.dumps({"path": as_text(path), **event._asdict()}, ensure_ascii=sys.stdout.isatty()), flush=True)

    return {"text": text, "jsonl": jsonl, "none": None}[form]


if __name__ == "__main__":
    command.run(main, takes_paths=True)
