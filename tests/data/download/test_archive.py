"""Archives installed whole or not at all; hostile and damaged ones leave nothing."""

import hashlib
import io
import stat
import tarfile
import types
import zipfile

import pytest

from urbansound.data import datasets
from urbansound.data.datasets import urbansound8k
from urbansound.data.datasets.record import Archive
from urbansound.data.download import archive
from urbansound.errors import InputError

HEADER = "slice_file_name,fsID,start,end,salience,fold,classID,class\n"
METADATA = HEADER + "a.wav,1,0,1,1,1,0,dog\nb.wav,2,0,1,1,2,1,cat\n"
FILES = {
    "UrbanSound8K/metadata/UrbanSound8K.csv": METADATA.encode(),
    "UrbanSound8K/audio/fold1/a.wav": b"RIFF" * 100,
    "UrbanSound8K/audio/fold2/b.wav": b"RIFF" * 50,
}


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def tar_of(files, *entries):
    """A .tar.gz of {name: bytes} and further (TarInfo, bytes)."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as file:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            file.addfile(entry, io.BytesIO(content))
        for entry in entries:
            file.addfile(*entry) if isinstance(entry, tuple) else file.addfile(entry)
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
    return Archive(
        folder="UrbanSound8K",
        url="https://example.invalid",
        file=f"sounds{kind}",
        top=top,
        size_bytes=len(content),
        unpacked_bytes=1000,
        checksum=f"md5:{hashlib.md5(content).hexdigest()}",
        clips=2,
        read=urbansound8k.read,
    )


@pytest.mark.parametrize(("make", "kind"), [(tar_of, ".tar.gz"), (zip_of, ".zip")])
def test_install(serve, tmp_path, make, kind):
    content = make({name.replace("UrbanSound8K/", "top-1/"): text for name, text in FILES.items()})
    server = serve(content)
    data_dir = tmp_path / "new" / "data"
    wanted = archive_of(content, kind, top="top-1")
    assert archive.install(wanted, data_dir, server.url) == (data_dir / "UrbanSound8K", False)
    assert names(data_dir) == ["UrbanSound8K"]
    assert urbansound8k.read(data_dir).class_names == ("dog", "cat")
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
        archive.install(datasets.dataset("urbansound8k").archive, tmp_path)


def tar_entry(name, kind=tarfile.REGTYPE, link=""):
    entry = tarfile.TarInfo(name)
    entry.type = kind
    entry.linkname = link
    return entry


def zip_link(name):
    entry = zipfile.ZipInfo(name)
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    return entry


def long_header(size):
    """An entry whose name tarfile reads from a header of `size` bytes, all of them zero."""
    entry = tarfile.TarInfo("x")
    entry.type, entry.size = tarfile.GNUTYPE_LONGNAME, size
    return entry, io.BytesIO(bytes(size))


def encrypted(content):
    """A .zip whose first entry asks for a password."""
    return content.replace(b"PK\1\2\x14\3\x14\0\0\0", b"PK\1\2\x14\3\x14\0\1\0", 1)


def shorter_than_it_says(content):
    """A .zip whose first entry holds 600 bytes more than the directory says."""
    place = content.index(b"PK\1\2")
    return content[: place + 24] + (1).to_bytes(4, "little") + content[place + 28 :]


@pytest.mark.parametrize(
    ("content", "kind", "fault"),
    [
        (tar_of(FILES, tar_entry("UrbanSound8K/../../up.txt")), ".tar.gz", "up.txt' leads outside"),
        (tar_of(FILES, tar_entry("/abs.txt")), ".tar.gz", "leads outside"),
        (tar_of(FILES, tar_entry("C:\\up.txt")), ".tar.gz", "leads outside"),
        (tar_of(FILES, tar_entry("link", tarfile.SYMTYPE, "/etc")), ".tar.gz", "'link' is neither file nor folder"),
        (tar_of(FILES, tar_entry("link", tarfile.SYMTYPE, ".")), ".tar.gz", "'link' is neither file nor folder"),
        (tar_of(FILES, tar_entry("link", tarfile.LNKTYPE, "../x")), ".tar.gz", "neither file nor folder"),
        (tar_of(FILES, tar_entry("null", tarfile.CHRTYPE)), ".tar.gz", "neither file nor folder"),
        (tar_of(FILES, tar_entry("pipe", tarfile.FIFOTYPE)), ".tar.gz", "neither file nor folder"),
        (zip_of(FILES, zipfile.ZipInfo("../up.txt")), ".zip", "leads outside"),
        (zip_of(FILES, zipfile.ZipInfo("/abs.txt")), ".zip", "leads outside"),
        (zip_of(FILES, zipfile.ZipInfo("C:/up.txt")), ".zip", "leads outside"),
        (zip_of(FILES, zip_link("link")), ".zip", "neither file nor folder"),
        (tar_of(FILES | {"zeros": bytes(2000)}), ".tar.gz", "'zeros' is more than the data set has"),
        (zip_of(FILES | {"zeros": bytes(2000)}), ".zip", "'zeros' is more than the data set has"),
        (tar_of(FILES, *(tar_entry(f"{i}") for i in range(2000))), ".tar.gz", "is more than the data set has"),
        (zip_of(FILES | {f"{i}": b"" for i in range(2000)}), ".zip", "is more than the data set has"),
        (tar_of(FILES, tar_entry("a/" * 900)), ".tar.gz", "is more than 20 folders deep"),
        (zip_of(FILES, zipfile.ZipInfo("a/" * 900)), ".zip", "is more than 20 folders deep"),
        (tar_of(FILES, long_header(1 << 24)), ".tar.gz", r"damaged \(more than the data set has\)"),
        (encrypted(zip_of(FILES)), ".zip", "damaged .*encrypted"),
        (shorter_than_it_says(zip_of(FILES)), ".zip", "damaged"),
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
