"""The folder of tables that a command writes, and goes on with when it was interrupted.

settings.json     the model's name, hash and classes, and every setting: the same for all that the folder holds
journal.jsonl     an entry per recording that is done, see `listeners.entry_of`
events.*          the tables of all recordings, in the order of the command line; one file per form
recordings/       the tables and pictures of each recording, at its path as it was given: without the / or the drive
                  that a whole path begins with, and with _up in the place of each ..
"""

import contextlib
import datetime
import os
from pathlib import Path, PurePath

import pandas as pd

from urbansound.data.audio_files import as_text
from urbansound.errors import InputError
from urbansound.files import CLIP_SETTINGS, LOCK, PARTS, check_folder, lock, read_json, remove_parts, write_json
from urbansound.inference.clips import clip_paths
from urbansound.inference.events import Event
from urbansound.inference.timelines import picture_suffixes
from urbansound.journal import Journal
from urbansound.report import event_tables, score_table
from urbansound.report.event_tables import COLUMNS

COMBINED = "events"  # the name of the tables of all recordings
JOURNAL = "journal.jsonl"
CLASSES = "classes"  # of the model, in settings.json
ENTRY_KEYS = {"path", "size", "modified", "begin", "latitude", "longitude", "seconds", "fault", "events"}


def table_path(out, path, suffix):
    """Where a table of one recording lies: recordings/, then the path as it was given."""
    parts = [{"..": "_up"}.get(part, part) for part in PurePath(path).parts if part != PurePath(path).anchor]
    return Path(out).joinpath("recordings", *parts[:-1], parts[-1] + suffix)


def check_places(out, paths):
    """Raise InputError where the tables of two recordings would lie at one place, or their names be one as text."""
    places, names = {}, {}
    for path in paths:
        for known, place in ((places, table_path(out, path, "")), (names, as_text(path))):
            if (other := known.setdefault(place, path)) != path:
                raise InputError(f"{other} and {path}: their tables would have one name; leave out one of them")


@contextlib.contextmanager
def open_output(out, forms, about, clips=None, paths=()):
    """Yield an Output that no other process has. Where it is refused, the disk is as it was.

    Args:
      out: the folder.
      forms: {name: event_tables.Format}.
      about: event_tables.About.
      clips: the folder of the clips; None: there are none.
      paths: of the recordings, for `Output.check_recordings`.

    Raises:
      InputError: as `check_output` and `check_recordings`; another process is at work on one of the folders.
    """
    check_output(out, about, clips)
    with contextlib.ExitStack() as locks:
        for folder, parts in ((out, f"recordings/**/{PARTS}"), (clips, f"*/{PARTS}")):
            if folder and locks.enter_context(_locked(Path(folder))):
                remove_parts(folder, parts)
        check_output(out, about, clips)  # for another process may have been at work in between
        output = Output(Path(out), forms, about)
        output.check_recordings(paths)
        for settings in _settings_files(out, clips):
            if not settings.exists():
                write_json(settings, about.provenance | {CLASSES: list(about.class_names)})
        yield output


def check_output(out, about, clips=None):
    """Raise InputError where what is on the disk refuses `open_output`; nothing is written.

    That is: a folder is a file, `out` holds other files, one of the folders was made with other settings.
    """
    if clips and os.path.realpath(clips) == os.path.realpath(out):
        raise InputError(f"{out}: the clips need a folder of their own; pass another --clips")
    folders = ((out, "--out", "results"), (clips, "--clips", "clips"))
    for (folder, flag, what), settings in zip(folders, _settings_files(out, clips), strict=False):
        check_folder(folder, flag)
        if settings.exists():
            _check_settings(settings, about, f"{folder} holds {what}", flag)
        elif folder == out and _other_files(out, clips):
            raise InputError(f"{out}: holds other files; pass another --out")


def _settings_files(out, clips):
    """Paths of the settings in the folder of the tables and, where there is one, in that of the clips."""
    return [Path(out) / event_tables.SETTINGS, *([Path(clips) / CLIP_SETTINGS] if clips else [])]


def _other_files(out, clips):
    """Whether a folder holds more than what a command that was killed leaves before it has written the settings."""
    inner = os.path.relpath(clips, out).split(os.sep)[0] if clips else LOCK  # the clips' folder may lie in `out`
    names = Path(out).iterdir() if os.path.isdir(out) else ()
    return any(not name.match(PARTS) and name.name not in (LOCK, inner) for name in names)


@contextlib.contextmanager
def _locked(folder):
    """`lock` a folder, which is made where it is missing. If the block puts nothing in, all is as before afterwards."""
    made = [place for place in (folder, *folder.parents) if not place.exists()]
    was_locked = (folder / LOCK).exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with lock(folder) as held:
            try:
                yield held
            finally:
                if not was_locked and os.listdir(folder) == [LOCK]:
                    (folder / LOCK).unlink()  # while it is held: later it may be another process's
    finally:
        for place in made:
            with contextlib.suppress(OSError):  # it is not empty
                place.rmdir()


def _check_settings(path, about, what, flag):
    """Refuse other settings than those in a file."""
    kept = read_json(path)
    names = [name for name in about.provenance if kept.get(name) != about.provenance[name]]
    # As the flag is called.
    names = list(dict.fromkeys("threshold" if name in ("on", "known_only") else name for name in names))
    if names:
        raise InputError(f"{what} of other settings ({', '.join(names)}); pass those, or another {flag}")


class Output:
    """See `open_output`.

    Attributes:
      entries: {path as text: entry} of all recordings that are done.
    """

    def __init__(self, out, forms, about):
        self._out, self._forms, self._about = out, forms, about
        self._journal = Journal(out / JOURNAL)
        self.entries = entries_of(out / JOURNAL, self._journal.entries)

    def check_recordings(self, paths):
        """Raise InputError where a path was that of another recording, which is still there, in another folder."""
        for path in paths:
            known = self.entries.get(as_text(path), {}).get("absolute")
            if known and known != as_text(os.path.abspath(path)) and os.path.exists(known):
                raise InputError(f"{path}: was {known} in {self._out}; pass another --out, or whole paths")

    def keep(self, path, entry, suffixes=()):
        """Write the tables of a recording, and its entry into the journal; remove files of the recording as it was.

        Args:
          path: of the recording, str.
          entry: see `listeners.entry_of`.
          suffixes: of the other files that were written of it.
        """
        for form in self._forms.values():
            form.write(_events(entry), table_path(self._out, path, form.suffix), self._about)
        old = self.entries.get(entry["path"])
        # Its size and time tell nothing of standard input, or of a file that may be read only now.
        if old and any(old[name] != entry[name] for name in ("size", "modified", "seconds", "events")):
            written = {form.suffix for form in self._forms.values()} | set(suffixes)
            outdated = {table_path(self._out, path, suffix) for suffix in _suffixes(old) - written}
            if old.get("clips") and old.get("clips") == entry["clips"]:
                clips = (clip_paths(entry["clips"], path, of["events"]) for of in (old, entry))
                outdated.update(map(Path, set(next(clips)) - set(next(clips))))
            for place in outdated:
                place.unlink(missing_ok=True)
        self._journal.add(entry)
        _put(self.entries, entry)

    def mend(self, path, entry):
        """Write the tables of a recording that is done which are not there: of another form, or deleted."""
        for form in self._forms.values():
            place = table_path(self._out, path, form.suffix)
            if not place.exists():
                form.write(_events(entry), place, self._about)

    def combine(self, entries):
        """Write the tables of all recordings, these first; also those of other forms.

        Files that are gone are not in them, and a file whose path was written in several ways is in them once.

        Returns:
          Their numbers: of recordings, and of events.
        """
        earlier = [entry for entry in self.entries.values() if is_there(entry)]
        latest = {_file(entry): entry for entry in earlier} | {_file(entry): entry for entry in entries}
        entries = [latest[file] for file in dict.fromkeys(map(_file, [*entries, *earlier]))]
        tables = [_events(entry) for entry in entries]
        events = pd.concat(tables, ignore_index=True)[COLUMNS]
        durations = {entry["path"]: entry["seconds"] for entry in entries}
        kept = {name: form for name, form in event_tables.FORMATS.items() if self._combined(form).exists()}
        for form in (kept | self._forms).values():
            table = event_tables.in_sequence(events, durations) if form.one_axis else events
            form.write(table, self._combined(form), self._about)
        return len(entries), len(events)

    def _combined(self, form):
        return self._out / f"{COMBINED}{form.suffix}"


def entries_of(path, lines):
    """{path as text: entry} of the lines of a journal of recordings, which lies at `path`.

    Raises:
      InputError: one is no entry of `listeners.entry_of`.
    """
    if not all(line.keys() >= ENTRY_KEYS for line in lines):
        raise InputError(f"{path}: damaged; delete it to begin anew")
    entries = {}
    for line in lines:
        _put(entries, line)
    return entries


def _put(entries, entry):
    """Put an entry behind all others, in place of an older one of its path."""
    entries.pop(entry["path"], None)
    entries[entry["path"]] = entry


def _file(entry):
    """Which file an entry is of, however its path was written."""
    return os.path.realpath(entry["absolute"]) if entry.get("absolute") else entry["path"]


def is_there(entry):
    """Whether the file of an entry exists, or the entry is of no file."""
    return not entry.get("absolute") or os.path.exists(entry["absolute"])


def is_of_state(entry, state):
    """Whether an entry is of a recording in this `listeners.state`."""
    return all(entry[name] == state[name] for name in ("size", "modified"))


def _suffixes(entry):
    """Of all files in recordings/ that a recording may have."""
    forms = {form.suffix for form in event_tables.FORMATS.values()}
    return {*forms, score_table.SUFFIX, *picture_suffixes(entry["seconds"])}


def _events(entry):
    """The table of COLUMNS of an entry."""
    begin = datetime.datetime.fromisoformat(entry["begin"]) if entry["begin"] else None
    events = pd.DataFrame(entry["events"], columns=Event._fields)
    table = event_tables.recording_table(events, entry["path"], begin, entry["latitude"], entry["longitude"])
    if entry.get("clocks"):
        clocks = map(datetime.datetime.fromisoformat, entry["clocks"])
        table["clock"] = pd.Series(list(clocks), table.index, object)
    return table
