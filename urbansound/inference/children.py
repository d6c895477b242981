"""Processes that end with the one that has started them, from their first moment on: they load this before the rest."""

import contextlib
import multiprocessing
import multiprocessing.connection
import os
import pickle
import signal
import threading

CONTEXT = multiprocessing.get_context("spawn")  # TensorFlow's threads do not outlive a fork


def started(number, work, *arguments, queues):
    """Start processes that SIGINT does not reach: it comes to their parent, too, which ends them.

    Args:
      number: of processes.
      work: a module's function of `arguments` and `queues` that each of them calls.
      arguments: what can be pickled.
      queues: of CONTEXT.

    Returns:
      list of Process.
    """
    packed = pickle.dumps((work, arguments))
    processes = [CONTEXT.Process(target=_begin, args=(packed, *queues), daemon=True) for _ in range(number)]
    with _interrupts_blocked():
        for process in processes:
            process.start()
    return processes


def _begin(packed, *queues):
    threading.Thread(target=_end_with_parent, daemon=True).start()
    work, arguments = pickle.loads(packed)  # which imports their modules, and that takes seconds
    work(*arguments, *queues)


def _end_with_parent():
    multiprocessing.connection.wait([multiprocessing.parent_process().sentinel])
    os._exit(1)


@contextlib.contextmanager
def _interrupts_blocked():
    """What is started meanwhile never gets SIGINT; one that comes to this process meanwhile is answered afterwards.

    The signal mask is what the processes inherit. It holds for one thread, and Python's main thread answers what any
    of them gets: between the start of a process and its first message, it would leave the process without one.
    """
    held = []
    handler = signal.signal(signal.SIGINT, lambda *_: held.append(signal.SIGINT))
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        signal.signal(signal.SIGINT, handler)
    if held:
        signal.raise_signal(signal.SIGINT)
