"""Download of one file over HTTP, resumed after dropped connections, restarts and Ctrl-C."""

import hashlib
import http.client
import os
import re
import ssl
import time
import urllib.error
from pathlib import Path

from tqdm import tqdm

from urbansound.data.download import web
from urbansound.errors import InputError
from urbansound.text import one_line

ATTEMPTS = 5
TIMEOUT_SECONDS = 60
LEAST_BYTES = 1 << 16  # in each TIMEOUT_SECONDS, or the server has stalled; of an attempt, or it has failed
BLOCK_BYTES = 1 << 20
ETAG = re.compile(r'(W/)?"[!#-~]{0,200}"')
AGAIN = "run the same command again to go on where it stopped"


class _TransferError(Exception):
    """The transfer stopped for a reason that may pass; the bytes received so far are kept."""


def fetch(url, target, size_bytes, checksum, wait_seconds=1.0):
    """Download `url` to `target`, unless the right file is there already.

    The bytes received so far are kept in TARGET.part, the server's ETag in TARGET.part.etag. The
    next attempt or call resumes by HTTP Range. It starts over if the server has no ranges or its
    file has changed. Five failures in a row with less than LEAST_BYTES each end it.

    Args:
      url: http or https.
      target: path; its folder exists.
      size_bytes: of the whole file.
      checksum: "md5:HEX" or "sha256:HEX" of it.
      wait_seconds: before the second attempt, twice as long before each further one.

    Raises:
      InputError: the server refuses, can't be reached or holds another file; the disk is full. The
        wrong file is removed, half of the right one kept.
    """
    target = Path(target)
    if target.exists():
        verify(target, size_bytes, checksum, advice="remove it and run again")
        return
    part = target.with_name(f"{target.name}.part")
    failures = 0
    while _size(part) != size_bytes:
        before = _size(part)
        try:
            _receive(url, part, size_bytes)
        except _TransferError as error:
            failures = 1 if _size(part) >= before + LEAST_BYTES else failures + 1
            if failures == ATTEMPTS:
                raise InputError(f"{url}: {error}, {ATTEMPTS} times; {AGAIN}") from None
            time.sleep(wait_seconds * 2 ** (failures - 1))
    try:
        verify(part, size_bytes, checksum, advice="it is removed; run again")
    except InputError:
        _discard(part)
        raise
    os.replace(part, target)
    _etag_file(part).unlink(missing_ok=True)


def verify(path, size_bytes, checksum, advice):
    """Raise InputError, with `advice`, unless a file has this size and checksum ("md5:HEX" or "sha256:HEX")."""
    algorithm, expected = checksum.split(":")
    found = f"{_size(path)} bytes where {size_bytes} are expected"
    if _size(path) == size_bytes:
        with open(path, "rb") as file:
            digest = hashlib.file_digest(file, lambda: hashlib.new(algorithm, usedforsecurity=False)).hexdigest()
        if digest == expected:
            return
        found = f"{algorithm} {digest} where {expected} is expected"
    raise InputError(f"{path}: {found}; not the official file; {advice}")


def _receive(url, part, size_bytes):
    """Extend `part` to `size_bytes`; a _TransferError leaves what was received in it."""
    held = _size(part)
    if held > size_bytes:
        _discard(part)
        held = 0
    try:
        with _open(url, part, held) as response:
            start = _check_answer(response, url, part, held, size_bytes)
            _etag_file(part).write_text(_etag(response))
            _append(response, part, start, size_bytes)
    except (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError, ssl.SSLError) as error:
        raise _TransferError(f"connection failed ({one_line(getattr(error, 'reason', error))})") from None
    except OSError as error:
        raise InputError(f"{part}: can't be written ({error.strerror}); {AGAIN}") from None
    if _size(part) > size_bytes:
        _discard(part)
        raise InputError(f"{url}: more than the {size_bytes} bytes expected; not the official file, try --url=MIRROR")
    if _size(part) < size_bytes:
        raise _TransferError(f"connection closed after {_size(part)} of {size_bytes} bytes")


def _open(url, part, held):
    """The response to a request for all bytes from position `held`."""
    if not url.startswith(("https://", "http://")):
        raise InputError(f"{url}: not a web address; it must start with https:// or http://")
    headers = {"User-Agent": "urbansound"}
    if held:
        headers["Range"] = f"bytes={held}-"
        etag = _held_etag(part)
        if etag and not etag.startswith("W/"):
            headers["If-Range"] = etag
    try:
        return web.within(TIMEOUT_SECONDS, lambda: web.request(url, TIMEOUT_SECONDS, redirects=True, headers=headers))
    except urllib.error.HTTPError as error:
        error.close()
        answer = f"the server answers {error.code} {one_line(error.reason, 100)}"
        if error.code == 416:
            _discard(part)
        elif error.code not in (408, 429) and error.code < 500:
            raise InputError(f"{url}: {answer}; try --url=MIRROR") from None
        raise _TransferError(answer) from None


def _check_answer(response, url, part, held, size_bytes):
    """The position that the response starts at: `held`, or 0 if the server sends the whole file."""
    total = response.headers.get("Content-Length")
    start = 0
    if response.status == 206:
        start = held
        unit, _, total = response.headers.get("Content-Range", "").rpartition("/")
        etag = _etag(response)
        other = etag and _held_etag(part) not in ("", etag)
        if other or not unit.startswith(f"bytes {held}-"):
            _discard(part)
            raise _TransferError("the server's file has changed")
    if total and re.fullmatch("[0-9]+", total) and total.lstrip("0") != str(size_bytes):
        raise InputError(
            f"{url}: {total[:20]} bytes where {size_bytes} are expected; not the official file, try --url=MIRROR"
        )
    return start


def _append(response, part, start, size_bytes):
    """Write the response to `part` from byte `start` on, under a progress bar.

    Raises:
      TimeoutError: less than LEAST_BYTES come in TIMEOUT_SECONDS.
    """
    with (
        open(part, "ab" if start else "wb") as file,
        tqdm(
            desc=part.stem, total=size_bytes, initial=start, unit="B", unit_scale=True, mininterval=0.5, disable=None
        ) as shown,
    ):
        since, wanted = time.monotonic(), start + LEAST_BYTES
        # read1 returns what has come; read would wait for a whole block, from a slow server for ever.
        while block := response.read1(BLOCK_BYTES):
            file.write(block)
            shown.update(len(block))
            if file.tell() > size_bytes:
                return
            if time.monotonic() > since + TIMEOUT_SECONDS:
                if file.tell() < wanted:
                    raise TimeoutError(f"less than {LEAST_BYTES} bytes in {TIMEOUT_SECONDS} s")
                since, wanted = time.monotonic(), file.tell() + LEAST_BYTES


def _size(path):
    return path.stat().st_size if path.exists() else 0


def _etag_file(part):
    return part.with_name(f"{part.name}.etag")


def _etag(response):
    """The ETag of a response; "" where there is none that HTTP allows."""
    etag = response.headers.get("ETag") or ""
    return etag if ETAG.fullmatch(etag) else ""


def _held_etag(part):
    held = _etag_file(part).read_bytes().decode("latin-1") if _etag_file(part).exists() else ""
    return held if ETAG.fullmatch(held) else ""


def _discard(part):
    part.unlink(missing_ok=True)
    _etag_file(part).unlink(missing_ok=True)
