"""The download command against a local server that drops, changes and refuses; hostile archives."""

import contextlib
import hashlib
import http.server
import io
import stat
import subprocess
import sys
import tarfile
import threading
import types
import zipfile

import pytest

from urbansound.data import catalog
from urbansound.data.download import archive, transfer
from urbansound.errors import InputError

PAYLOAD = bytes(range(256)) * 4000
CHECKSUM = f"sha256:{hashlib.sha256(PAYLOAD).hexdigest()}"
HEADER = "slice_file_name,fsID,start,end,salience,fold,classID,class\n"
METADATA = HEADER + "a.wav,1,0,1,1,1,0,dog\nb.wav,2,0,1,1,2,1,cat\n"
FILES = {
    "UrbanSound8K/metadata/UrbanSound8K.csv": METADATA.encode(),
    "UrbanSound8K/audio/fold1/a.wav": b"RIFF" * 100,
    "UrbanSound8K/audio/fold2/b.wav": b"RIFF" * 50,
}


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
    fetch(server, tmp_path / "x.zip")
    assert server.requests[1] == "bytes=65536-"


def tar_of(files, *entries):
    """A .tar.gz of {name: bytes} and further (TarInfo, bytes)."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as file:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            file.addfile(entry, io.BytesIO(content))
        for entry in entries:
            file.addfile(entry)
    return buffer.getvalue()


def zip_of(files, *entries):
    """A .zip of {name: bytes} and further ZipInfos."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, content in files.items():
            file.writestr(name, content)
        for entry in entries:
            file.writestr(entry, "/etc/passwd")
    return buffer.getvalue()


def archive_of(content, kind=".tar.gz", top="UrbanSound8K"):
    """The Archive that `content` would be."""
    return archive.Archive(
        folder="UrbanSound8K",
        url="https://example.invalid",
        file=f"sounds{kind}",
        top=top,
        size_bytes=len(content),
        unpacked_bytes=1000,
        checksum=f"md5:{hashlib.md5(content).hexdigest()}",
        clips=2,
        read=catalog.urbansound8k,
        licence="none",
    )


@pytest.mark.parametrize(("make", "kind"), [(tar_of, ".tar.gz"), (zip_of, ".zip")])
def test_install(serve, tmp_path, make, kind):
    content = make({name.replace("UrbanSound8K/", "top-1/"): text for name, text in FILES.items()})
    server = serve(content)
    data_dir = tmp_path / "new" / "data"
    wanted = archive_of(content, kind, top="top-1")
    assert archive.install(wanted, data_dir, server.url) == (data_dir / "UrbanSound8K", False)
    assert names(data_dir) == ["UrbanSound8K"]
    assert catalog.urbansound8k(data_dir).class_names == ("dog", "cat")
    assert (data_dir / "UrbanSound8K/audio/fold1/a.wav").read_bytes() == b"RIFF" * 100
    assert archive.install(wanted, data_dir, server.url) == (data_dir / "UrbanSound8K", True)
    assert len(server.requests) == 1


def test_an_incomplete_data_set_in_the_way_is_not_touched(tmp_path):
    (tmp_path / "UrbanSound8K" / "audio").mkdir(parents=True)
    (tmp_path / "UrbanSound8K" / "mine.txt").touch()
    with pytest.raises(InputError, match=r"UrbanSound8K: not complete; move .* away and run again"):
        archive.install(archive_of(b""), tmp_path)
    assert names(tmp_path / "UrbanSound8K") == ["audio", "mine.txt"]


def test_disk_space_is_looked_at_first(tmp_path, monkeypatch):
    monkeypatch.setattr(archive.shutil, "disk_usage", lambda path: types.SimpleNamespace(free=12e9))
    with pytest.raises(InputError, match=r"13.1 GB are needed and 12.0 GB free"):
        archive.install(archive.ARCHIVES["urbansound8k"], tmp_path)


def tar_entry(name, kind=tarfile.REGTYPE, link=""):
    entry = tarfile.TarInfo(name)
    entry.type = kind
    entry.linkname = link
    return entry


def zip_link(name):
    entry = zipfile.ZipInfo(name)
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    return entry


@pytest.mark.parametrize(
    ("content", "kind", "fault"),
    [
        (tar_of(FILES, tar_entry("UrbanSound8K/../../up.txt")), ".tar.gz", "up.txt' leads outside"),
        (tar_of(FILES, tar_entry("link", tarfile.SYMTYPE, "/etc")), ".tar.gz", "'link' is neither file nor folder"),
        (tar_of(FILES, tar_entry("link", tarfile.SYMTYPE, ".")), ".tar.gz", "'link' is neither file nor folder"),
        (tar_of(FILES, tar_entry("link", tarfile.LNKTYPE, "../x")), ".tar.gz", "neither file nor folder"),
        (tar_of(FILES, tar_entry("null", tarfile.CHRTYPE)), ".tar.gz", "neither file nor folder"),
        (tar_of(FILES, tar_entry("pipe", tarfile.FIFOTYPE)), ".tar.gz", "neither file nor folder"),
        (zip_of(FILES, zipfile.ZipInfo("../up.txt")), ".zip", "leads outside"),
        (zip_of(FILES, zipfile.ZipInfo("/abs.txt")), ".zip", "leads outside"),
        (zip_of(FILES, zipfile.ZipInfo("C:/up.txt")), ".zip", "leads outside"),
        (zip_of(FILES, zip_link("link")), ".zip", "neither file nor folder"),
        (tar_of(FILES)[:-40], ".tar.gz", "damaged"),
        (b"no archive at all", ".tar.gz", "damaged"),
        (b"no archive at all", ".zip", "damaged"),
        (zip_of(FILES)[:-200], ".zip", "damaged"),
        (tar_of({name: text for name, text in FILES.items() if "b.wav" not in name}), ".tar.gz", "1 of 2 clips are"),
        (tar_of({"UrbanSound8K/readme.txt": b""}), ".tar.gz", "not complete; remove"),
    ],
)
def test_hostile_and_damaged_archives_leave_nothing(tmp_path, content, kind, fault):
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    file = data_dir / f"sounds{kind}"
    file.write_bytes(content)
    with pytest.raises(InputError, match=fault):
        archive.install(archive_of(content, kind), data_dir)
    assert names(data_dir) == [file.name]
    assert names(tmp_path) == ["data"]


def test_an_absolute_name_in_a_tar_stays_inside(tmp_path):
    outside = tmp_path / "abs.txt"
    content = tar_of(FILES, tar_entry(str(outside)))
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    (data_dir / "sounds.tar.gz").write_bytes(content)
    archive.install(archive_of(content), data_dir)
    assert names(data_dir) == ["UrbanSound8K"]
    assert names(tmp_path) == ["data"]


def run_command(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "urbansound.download", *arguments], capture_output=True, text=True, timeout=60
    )


def test_command_refuses_a_mirror_that_holds_something_else(serve, tmp_path):
    server = serve()
    done = run_command("--dataset=esc50", f"--data_dir={tmp_path}", f"--url={server.url}")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "1024000 bytes where 645832161 are expected" in done.stderr
    assert names(tmp_path) == []


def test_command_says_in_one_line_what_is_wrong(tmp_path):
    for arguments, text in (
        ([], "--dataset"),
        (["--dataset=esc10"], "esc10"),
        (["--dataset=esc50", "--url=ftp://example.invalid/x"], "must start with https:// or http://"),
    ):
        done = run_command(*arguments, f"--data_dir={tmp_path}")
        assert done.returncode == 2
        assert text in done.stderr
        assert done.stderr.count("\n") == 1


def test_command_finds_a_complete_data_set_without_tensorflow(shared_data, tmp_path):
    table = shared_data / "esc10" / "esc50.csv"
    target = tmp_path / "ESC-50" / "meta" / "esc50.csv"
    target.parent.mkdir(parents=True)
    target.write_bytes(table.read_bytes())
    (tmp_path / "ESC-50" / "audio").mkdir()
    for line in table.read_text().splitlines()[1:]:
        (tmp_path / "ESC-50" / "audio" / line.split(",")[0]).touch()
    done = run_command("--dataset=esc50", f"--data_dir={tmp_path}")
    assert done.returncode == 0
    assert "already there, 2000 clips; licence: CC BY-NC" in done.stdout
    probe = "import sys, urbansound.download; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", probe], timeout=60).returncode == 0
