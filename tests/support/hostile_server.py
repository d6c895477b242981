"""A server that answers whatever a test wants, byte by byte."""

import contextlib
import re
import socket
import threading


@contextlib.contextmanager
def answering(*pieces, pause=0):
    """A server that sends the same bytes to every request, piece by piece; yields its URL and the requests."""
    requests, stop = [], threading.Event()

    def serve():
        while True:
            with contextlib.suppress(OSError):
                connection, _ = listening.accept()
                if stop.is_set():
                    connection.close()
                    return
                with connection:
                    requests.append(_request(connection))
                    for piece in pieces:
                        connection.sendall(piece)
                        if stop.wait(pause):
                            break

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve)
        thread.start()
        host, port = listening.getsockname()
        try:
            yield f"http://{host}:{port}/x", requests
        finally:
            stop.set()
            socket.create_connection((host, port)).close()
            thread.join()


def _request(connection):
    """The bytes of a request, its body included: a connection closed before would be reset."""
    received = b""
    while piece := connection.recv(65536):
        received += piece
        head, end, body = received.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: *([0-9]+)", head)
        if end and len(body) >= int(length[1] if length else 0):
            break
    return received
