"""How many processor cores this process may use, and how several processes share them."""

import os

THREADS = "TF_NUM_INTRAOP_THREADS"  # TensorFlow's own variable


def usable():
    """Cores that this process may use: those that the system gives it, at most as many as THREADS says."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limit = os.environ.get(THREADS, "")
    return min(cores, int(limit)) if limit.isdecimal() and int(limit) else cores


def share(jobs):
    """Variables of the environment by which each of `jobs` processes uses its share of the cores, {str: str}."""
    return {THREADS: str(max(usable() // jobs, 1))} if jobs > 1 else {}
