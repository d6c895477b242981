"""A local server that drops, changes and refuses."""

import contextlib
import http.server
import threading

import pytest

PAYLOAD = bytes(range(256)) * 4000


class Server(http.server.ThreadingHTTPServer):
    """Serves `payload`; the attributes say how badly."""

    def __init__(self, payload):
        super().__init__(("127.0.0.1", 0), Handler)
        self.payload = payload
        self.etag = '"one"'
        self.ranges = True  # whether Range is honoured
        self.sized = True  # whether the length is told
        self.drop_after = []  # for each of the next requests, bytes after which to close
        self.errors = []  # status codes of the next requests
        self.requests = []  # Range header of each request
        self.url = f"http://127.0.0.1:{self.server_address[1]}/archive"

    def handle_error(self, request, client_address):
        """A client that hangs up is part of these tests."""


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        wanted = self.headers.get("Range")
        server.requests.append(wanted)
        if server.errors:
            self.send_error(server.errors.pop(0))
            return
        start = 0
        if wanted and server.ranges and self.headers.get("If-Range", server.etag) == server.etag:
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
        total = len(server.payload)
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
        if server.etag:
            self.send_header("ETag", server.etag)
        if server.sized:
            self.send_header("Content-Length", str(total - start))
        self.end_headers()
        end = start + server.drop_after.pop(0) if server.drop_after else total
        self.wfile.write(server.payload[start:end])

    def log_message(self, *args):
        pass


@pytest.fixture
def serve(monkeypatch):
    """Function of a payload that gives a running Server."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with contextlib.ExitStack() as stack:

        def start(payload=PAYLOAD):
            server = stack.enter_context(Server(payload))
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
            thread.start()
            stack.callback(thread.join)
            stack.callback(server.shutdown)
            return server

        yield start
