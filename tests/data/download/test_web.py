"""Servers that stall, lie and redirect, against the downloader."""

import contextlib
import hashlib
import time
import urllib.error
import urllib.request

import pytest

from hostile_server import answering
from urbansound.data.download import transfer, web
from urbansound.errors import InputError

PAYLOAD = bytes(200)
CHECKSUM = f"sha256:{hashlib.sha256(PAYLOAD).hexdigest()}"


@pytest.fixture(autouse=True)
def without_proxy(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def fetch(url, folder):
    transfer.fetch(url, folder / "x.zip", len(PAYLOAD), CHECKSUM, wait_seconds=0.001)


HEAD = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    ("pieces", "fault"),
    [
        ([HEAD, b"\r\n", *[b"x"] * 1000], "less than 65536 bytes in 0.2 s"),
        ([b"HTTP/1.1 200 OK\r\n", *[b"X"] * 1000], "no whole answer in 0.2 s"),
        ([b"HTTP/1.1 100 Continue\r\n\r\n"] * 1000, "no whole answer in 0.2 s"),
    ],
)
def test_a_server_that_sends_a_byte_now_and_then_is_given_up(tmp_path, monkeypatch, pieces, fault):
    monkeypatch.setattr(transfer, "TIMEOUT_SECONDS", 0.2)
    start = time.monotonic()
    # On a busy machine a single read may take that long already, which has its own words.
    fault = f"({fault}|timed out).*5 times"
    with answering(*pieces, pause=0.05) as (url, _), pytest.raises(InputError, match=fault):
        fetch(url, tmp_path)
    assert time.monotonic() - start < 30  # five times, where the whole would take minutes


def test_a_redirect_is_followed_to_the_web_only(tmp_path):
    with (
        answering(HEAD, b"\r\n", PAYLOAD) as (there, _),
        answering(b"HTTP/1.1 302 Found\r\nLocation: ", there.encode(), b"\r\n\r\n") as (here, _),
    ):
        fetch(here, tmp_path)
    assert (tmp_path / "x.zip").read_bytes() == PAYLOAD
    for target in ("ftp://127.0.0.1/x", "file:///etc/passwd"):
        pieces = (b"HTTP/1.1 302 Found\r\nLocation: ", target.encode(), b"\r\n\r\n")
        with answering(*pieces) as (url, _), pytest.raises(InputError, match=r"the server answers 302 .*; try --url"):
            fetch(url, tmp_path / "other")


def test_a_redirect_does_not_lead_from_https_to_http():
    asked = urllib.request.Request("https://127.0.0.1/x")
    with pytest.raises(urllib.error.HTTPError, match="with a redirect to http://"):
        web._Redirects(True).redirect_request(asked, None, 302, "Found", {}, "http://127.0.0.1/y")


@pytest.mark.parametrize("length", ["²", "9" * 5000, "1e3", "-1", "201"])
def test_a_length_that_is_a_lie_ends_in_one_line(tmp_path, length):
    head = HEAD + f"Content-Length: {length}\r\n\r\n".encode("latin-1")
    with contextlib.suppress(InputError), answering(head, PAYLOAD) as (url, _):
        fetch(url, tmp_path)


@pytest.mark.parametrize("etag", ['"a\x00"', '"a\x1bb"', "a", '"' + "x" * 5000 + '"', '"\xe9"'])
def test_an_etag_that_http_does_not_allow_is_not_sent_back(tmp_path, etag):
    head = HEAD + b"ETag: " + etag.encode("latin-1") + b"\r\n\r\n"
    with answering(head, PAYLOAD[:50]) as (url, requests), pytest.raises(InputError, match="5 times"):
        fetch(url, tmp_path)
    assert (tmp_path / "x.zip.part.etag").read_text() == ""
    assert not any(b"If-Range" in request for request in requests)
    (tmp_path / "x.zip.part.etag").write_bytes(b'"a"\r\nX-Injected: 1')
    with answering(HEAD, b"\r\n", PAYLOAD) as (url, requests):
        fetch(url, tmp_path)
    assert b"Injected" not in requests[0]


def test_a_reason_with_control_characters_is_shown_as_escapes(tmp_path):
    with answering(b"HTTP/1.1 404 \x1b]0;owned\x07 gone\r\n\r\n") as (url, _), pytest.raises(InputError) as refused:
        fetch(url, tmp_path)
    assert r"\x1b]0;owned\x07 gone" in str(refused.value)


@pytest.mark.parametrize("url", ["http://[", "http://127.0.0.1:99999999/", "http://exa mple/", "http://\x00/"])
def test_an_address_that_is_none_ends_in_one_line(tmp_path, url):
    with pytest.raises(InputError):
        fetch(url, tmp_path)
