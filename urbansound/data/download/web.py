"""Requests to servers that may stall, lie and redirect."""

import http.client
import queue
import threading
import urllib.error
import urllib.request


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects from https to https and from http to either, or none at all."""

    def __init__(self, followed):
        self._followed = followed

    def redirect_request(self, request, file, code, reason, headers, url):
        kinds = ("https://",) if request.full_url.startswith("https://") else ("https://", "http://")
        if not self._followed or not url.startswith(kinds):
            raise urllib.error.HTTPError(request.full_url, code, f"with a redirect to {url}", headers, file)
        return super().redirect_request(request, file, code, reason, headers, url)


def request(url, timeout_seconds, *, redirects, headers=(), body=None):
    """The response to a GET, or a POST of `body`.

    Args:
      url: http or https.
      timeout_seconds: for each read and write; see `within` for a limit to the whole.
      redirects: whether they are followed, though not from https to another protocol.
      headers: {name: value}.
      body: bytes or None.

    Raises:
      urllib.error.HTTPError: the server answers with an error, or with a redirect that is not followed.
      OSError, http.client.HTTPException: no connection, no HTTP.
    """
    opener = urllib.request.build_opener(_Redirects(redirects))
    try:
        asked = urllib.request.Request(url, body, dict(headers))
        return opener.open(asked, timeout=timeout_seconds)
    except ValueError as error:  # of an address or a header that can't be sent; urllib has many kinds
        raise http.client.HTTPException(str(error)) from None


def within(seconds, function):
    """What `function` returns or raises, if it does so in time.

    A timeout of a socket is for each of its reads: a server that sends a byte now and then is not held to it. So the
    call runs in a thread of its own, which is left behind where it takes too long.

    Raises:
      TimeoutError: it takes longer than `seconds`.
    """
    results = queue.SimpleQueue()

    def run():
        try:
            results.put((function(), None))
        except BaseException as error:  # raised again where it was asked for
            results.put((None, error))

    threading.Thread(target=run, daemon=True).start()
    try:
        result, error = results.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError(f"no whole answer in {seconds:g} s") from None
    if error is not None:
        raise error
    return result
