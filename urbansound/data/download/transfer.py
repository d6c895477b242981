"""Download of one file over HTTP, resumed after dropped connections, restarts and Ctrl-C."""

import hashlib
import http.client
import os
import ssl
import time
import urllib.error
import urllib.request
from pathlib import Path

from tqdm import tqdm

from urbansound.errors import InputError

ATTEMPTS = 5
TIMEOUT_SECONDS = 60
BLOCK_BYTES = 1 << 20
AGAIN = "run the same command again to go on where it stopped"


class _TransferError(Exception):
    """The transfer stopped for a reason that may pass; the bytes received so far are kept."""


def fetch(url, target, size_bytes, checksum, wait_seconds=1.0):
    """Download `url` to `target`, unless the right file is there already.

    The bytes received so far are kept in TARGET.part, the server's ETag in TARGET.part.etag. The
    next attempt or call resumes by HTTP Range. It starts over if the server has no ranges or its
    file has changed. Five failures in a row without a new byte end it.

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
            failures = 1 if _size(part) > before else failures + 1
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
            _etag_file(part).write_text(response.headers.get("ETag") or "")
            _append(response, part, start, size_bytes)
    except (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError, ssl.SSLError) as error:
        raise _TransferError(f"connection failed ({getattr(error, 'reason', error)})") from None
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
        return urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=TIMEOUT_SECONDS)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416:
            _discard(part)
        elif error.code not in (408, 429) and error.code < 500:
            raise InputError(f"{url}: the server answers {error.code} {error.reason}; try --url=MIRROR") from None
        raise _TransferError(f"the server answers {error.code} {error.reason}") from None


def _check_answer(response, url, part, held, size_bytes):
    """The position that the response starts at: `held`, or 0 if the server sends the whole file."""
    total = response.headers.get("Content-Length")
    start = 0
    if response.status == 206:
        start = held
        unit, _, total = response.headers.get("Content-Range", "").rpartition("/")
        etag = response.headers.get("ETag")
        other = etag is not None and _held_etag(part) not in ("", etag)
        if other or not unit.startswith(f"bytes {held}-"):
            _discard(part)
            raise _TransferError("the server's file has changed")
    if total and total.isdigit() and int(total) != size_bytes:
        raise InputError(
            f"{url}: {total} bytes where {size_bytes} are expected; not the official file, try --url=MIRROR"
        )
    return start


def _append(response, part, start, size_bytes):
    """Write the response to `part` from byte `start` on, under a progress bar."""
    with (
        open(part, "ab" if start else "wb") as file,
        tqdm(
            desc=part.stem, total=size_bytes, initial=start, unit="B", unit_scale=True, mininterval=0.5, disable=None
        ) as shown,
    ):
        while block := response.read(BLOCK_BYTES):
            file.write(block)
            shown.update(len(block))
            if file.tell() > size_bytes:
                return


def _size(path):
    return path.stat().st_size if path.exists() else 0


def _etag_file(part):
    return part.with_name(f"{part.name}.etag")


def _held_etag(part):
    return _etag_file(part).read_text() if _etag_file(part).exists() else ""


def _discard(part):
    part.unlink(missing_ok=True)
    _etag_file(part).unlink(missing_ok=True)
