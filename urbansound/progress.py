"""A progress bar for work that counts its own steps."""

import contextlib
import sys

from tqdm import tqdm


@contextlib.contextmanager
def bar(label, unit="clip"):
    """Yield a function of (done, total, note) that shows a bar on stderr, the note after it; no call, no bar."""
    shown = None

    def update(done, total, note=None):
        nonlocal shown
        if shown is None:
            # In a log every line stays, so there they come seldom.
            interval = 0.5 if sys.stderr.isatty() else 10
            shown = tqdm(desc=label, total=total, unit=unit, mininterval=interval, leave=False)
        if note is not None:
            shown.set_postfix_str(note, refresh=False)
        shown.update(done - shown.n)

    try:
        yield update
    finally:
        if shown is not None:
            shown.close()
