"""One file over HTTP, from a server that drops, changes and refuses."""

import hashlib

import pytest

from urbansound.data.download import transfer
from urbansound.errors import InputError

PAYLOAD = bytes(range(256)) * 4000
CHECKSUM = f"sha256:{hashlib.sha256(PAYLOAD).hexdigest()}"


def fetch(server, target):
    transfer.fetch(server.url, target, len(PAYLOAD), CHECKSUM, wait_seconds=0.001)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_fetch(serve, tmp_path):
    server = serve()
    fetch(server, tmp_path / "x.zip")
    assert (tmp_path / "x.zip").read_bytes() == PAYLOAD
    assert names(tmp_path) == ["x.zip"]
    fetch(server, tmp_path / "x.zip")
    assert server.requests == [None]


def test_dropped_connections_are_gone_on_with(serve, tmp_path):
    server = serve()
    # More drops than attempts: each brings something, so none is the last.
    server.drop_after = [100_000] * 8
    fetch(server, tmp_path / "x.zip")
    assert (tmp_path / "x.zip").read_bytes() == PAYLOAD
    assert server.requests == [None] + [f"bytes={100_000 * n}-" for n in range(1, 9)]


@pytest.mark.parametrize("fault", ["no ranges", "no size", "no etag"])
def test_servers_that_can_do_less(serve, tmp_path, fault):
    server = serve()
    server.ranges = fault != "no ranges"
    server.sized = fault != "no size"
    server.etag = None if fault == "no etag" else '"one"'
    server.drop_after = [300_000]
    fetch(server, tmp_path / "x.zip")
    assert (tmp_path / "x.zip").read_bytes() == PAYLOAD
    assert len(server.requests) == 2


@pytest.mark.parametrize("if_range", [True, False])
def test_a_file_that_has_changed_starts_over(serve, tmp_path, if_range):
    server = serve()
    (tmp_path / "x.zip.part").write_bytes(b"of the older file")
    (tmp_path / "x.zip.part.etag").write_text('"zero"' if if_range else 'W/"zero"')
    fetch(server, tmp_path / "x.zip")
    assert (tmp_path / "x.zip").read_bytes() == PAYLOAD
    assert names(tmp_path) == ["x.zip"]


def test_a_part_of_another_run_is_gone_on_with(serve, tmp_path):
    server = serve()
    (tmp_path / "x.zip.part").write_bytes(PAYLOAD[:1000])
    fetch(server, tmp_path / "x.zip")
    assert server.requests == ["bytes=1000-"]


def test_a_part_that_is_too_long_or_refused_starts_over(serve, tmp_path):
    server = serve()
    (tmp_path / "x.zip.part").write_bytes(PAYLOAD + b"!")
    fetch(server, tmp_path / "x.zip")
    (tmp_path / "y.zip.part").write_bytes(b"?")
    server.errors = [416]
    fetch(server, tmp_path / "y.zip")
    assert server.requests == [None, "bytes=1-", None]


def test_errors_that_pass_are_tried_again_others_not(serve, tmp_path):
    server = serve()
    server.errors = [503, 429, 500, 502]
    fetch(server, tmp_path / "x.zip")
    server.errors = [404]
    with pytest.raises(InputError, match=r"the server answers 404 Not Found; try --url=MIRROR"):
        fetch(server, tmp_path / "y.zip")
    server.errors = [503] * 5
    with pytest.raises(InputError, match=r"503 Service Unavailable, 5 times; run the same command again"):
        fetch(server, tmp_path / "y.zip")
    assert server.errors == []


def test_a_server_that_always_drops_at_one_place_ends_with_the_part_kept(serve, tmp_path):
    server = serve()
    server.ranges = False
    server.drop_after = [200_000] * 10
    with pytest.raises(InputError, match="connection closed after 200000 of 1024000 bytes, 5 times"):
        fetch(server, tmp_path / "x.zip")
    assert (tmp_path / "x.zip.part").stat().st_size == 200_000


def test_no_server(tmp_path, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with pytest.raises(InputError, match=r"connection failed \(.*refused.*\), 5 times"):
        transfer.fetch("http://127.0.0.1:9/x", tmp_path / "x.zip", 1, CHECKSUM, wait_seconds=0.001)


def test_another_file_is_refused(serve, tmp_path):
    server = serve(b"?" + PAYLOAD[1:])
    with pytest.raises(InputError, match=r"x.zip.part: sha256 .* not the official file; it is removed; run again"):
        fetch(server, tmp_path / "x.zip")
    assert names(tmp_path) == []
    longer = serve(PAYLOAD + b"!")
    with pytest.raises(InputError, match="1024001 bytes where 1024000 are expected"):
        fetch(longer, tmp_path / "x.zip")
    longer.sized = False
    with pytest.raises(InputError, match="more than the 1024000 bytes expected"):
        fetch(longer, tmp_path / "x.zip")
    assert names(tmp_path) == []
    (tmp_path / "x.zip").write_bytes(b"something else")
    with pytest.raises(InputError, match="14 bytes where 1024000 are expected"):
        fetch(server, tmp_path / "x.zip")


def test_ctrl_c_leaves_a_part_to_go_on_with(serve, tmp_path, monkeypatch):
    server = serve()
    monkeypatch.setattr(transfer, "BLOCK_BYTES", 65536)
    update = transfer.tqdm.update

    def interrupt(shown, count):
        update(shown, count)
        if len(server.requests) == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(transfer.tqdm, "update", interrupt)
    with pytest.raises(KeyboardInterrupt):
        fetch(server, tmp_path / "x.zip")
    assert names(tmp_path) == ["x.zip.part", "x.zip.part.etag"]
    held = (tmp_path / "x.zip.part").stat().st_size
    fetch(server, tmp_path / "x.zip")
    assert server.requests[1] == f"bytes={held}-"
