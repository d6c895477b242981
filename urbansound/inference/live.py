"""The events of a microphone as they come, and tables of them when it is stopped."""

import contextlib
import dataclasses
import itertools
import signal
import threading

from urbansound.audio.microphone import open_microphone
from urbansound.audio.recorder import Origin
from urbansound.audio.stream import Stream
from urbansound.errors import InputError
from urbansound.inference.detection import detect_stream
from urbansound.inference.listeners import Listener, entry_of
from urbansound.inference.output import check_output, is_there, open_output
from urbansound.inference.recordings import about, planned


@dataclasses.dataclass(frozen=True)
class Session:
    """What was heard.

    Attributes:
      name: of the session, by the time when it began, as its tables have it.
      seconds: of sound.
      events: their number.
      lost: how many times sound was lost.
      fault: why it ended by itself, a line; None where it was stopped.
    """

    name: str
    seconds: float
    events: int
    lost: int
    fault: str | None


def detect_live(plan, device=None, out=None, formats=(), on_events=None, on_begin=None):
    """Listen to a microphone until SIGINT (Ctrl-C) or SIGTERM comes, or the device is gone.

    Args:
      plan: a Plan; its `place` and `scores` are not used.
      device: see `open_microphone`.
      out: the folder of the tables, to which this session is added; None: none are written.
      formats: as for `detect_all`.
      on_events: called with (name, list of Event, list of the datetimes when they began) as they are found.
      on_begin: called with (name of the device, sample rate in Hz) when it listens.

    Returns:
      A Session.

    Raises:
      InputError: clips are wanted; scores or pictures without a folder; as `open_microphone` and `open_output`.
    """
    if plan.clips:
        raise InputError("clips can't be cut out of a microphone's sound, which is not kept; record it to a file")
    if out is None and (plan.timeline or formats):
        raise InputError("tables and pictures need a folder; pass --out=FOLDER")
    forms, plan = planned(plan, out or "", formats)
    listener = Listener(plan)
    if out:
        check_output(out, about(listener))
    with contextlib.ExitStack() as opened:
        stopped = opened.enter_context(_set_by_signals())
        microphone = opened.enter_context(open_microphone(device, stopped))
        if on_begin:
            on_begin(microphone.name, microphone.rate)
        stream = _stream(microphone, listener.scorer.described.audio.sample_rate)
        # Only now is anything written: there is sound.
        output = opened.enter_context(open_output(out, forms, about(listener))) if out else None
        entry = _entry(listener, microphone, stream, on_events, output.entries if output else ())
        if output:
            output.keep(entry["path"], entry, plan.suffixes(entry["seconds"]))
            output.combine([one for one in output.entries.values() if is_there(one)])
    return Session(entry["path"], entry["seconds"], len(entry["events"]), microphone.lost, entry["fault"])


def _stream(microphone, sample_rate):
    try:
        return Stream(microphone, sample_rate)
    except InputError as error:
        raise InputError(f"{microphone.name}: no sound came ({error})") from None


def _entry(listener, microphone, stream, on_events, names):
    """The session as an entry of a journal: as `Listener.entry` has it, and the `clocks` of the events (ISO 8601).

    Its name is none of `names`: by a clock that was set back, two may begin in the same second.
    """
    plan = listener.plan
    begin = microphone.clock(0, plan.zone)
    first = f"live_{begin:%Y%m%d_%H%M%S}"
    name = next(name for name in _numbered(first) if name not in names)

    def say(events):
        if on_events:
            on_events(name, events, [microphone.clock(event.start, plan.zone) for event in events])

    with listener.outputs(name) as (outputs, draw):
        found = detect_stream(listener.scorer, stream, listener.hop, listener.settings, on_events=say, **outputs)
        draw(found, begin)
    clocks = [microphone.clock(start, plan.zone) for start in found.events.start]
    return entry_of(name, found, Origin(begin), clocks)


def _numbered(name):
    yield name
    yield from (f"{name}_{number}" for number in itertools.count(2))


@contextlib.contextmanager
def _set_by_signals():
    """Yield a threading.Event that the first SIGINT or SIGTERM sets; a second one does what it did before."""
    before, stopped = {}, threading.Event()

    def handle(number, _):
        signal.signal(number, before[number])
        stopped.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        before[number] = signal.signal(number, handle)
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
