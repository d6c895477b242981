"""Processes start whole, whenever a Ctrl-C comes."""

import os
import signal
import threading
import time

import pytest

from urbansound.inference import children


def test_an_interrupt_waits_until_every_process_has_its_first_message(monkeypatch):
    begun, whole = [], []

    class Process:
        def __init__(self, **_):
            pass

        def start(self):
            begun.append(self)
            os.kill(os.getpid(), signal.SIGINT)  # another thread gets it, since this one blocks it
            time.sleep(0.05)
            whole.append(self)

    monkeypatch.setattr(children.CONTEXT, "Process", Process)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # it may come ignored
    done = threading.Event()
    other = threading.Thread(target=done.wait)
    other.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            children.started(2, print, queues=())
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
        done.set()
        other.join()
    assert len(whole) == len(begun) == 2
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, set())
