"""The public data sets' official archives, and unpacking them so that all of one is there or nothing."""

import contextlib
import dataclasses
import gzip
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path, PureWindowsPath

from tqdm import tqdm

from urbansound.data import catalog
from urbansound.data.download import transfer
from urbansound.errors import InputError


@dataclasses.dataclass(frozen=True)
class Archive:
    """A data set's archive.

    Attributes:
      folder: name that the data set gets in the data folder.
      url: where its authors publish it.
      file: name of the archive; ends in .tar.gz or .zip.
      top: the one folder of the archive that is the data set.
      size_bytes: of the archive.
      unpacked_bytes: about what it takes when unpacked.
      checksum: "md5:HEX" or "sha256:HEX" of the archive.
      clips: number of clips in the data set.
      read: data folder to Catalog; raises InputError where anything is missing.
      licence: under which the sounds may be used.
    """

    folder: str
    url: str
    file: str
    top: str
    size_bytes: int
    unpacked_bytes: int
    checksum: str
    clips: int
    read: Callable
    licence: str


# GitHub makes archives on request and publishes no checksum, so this is of one commit, not of a branch.
_ESC50_COMMIT = "33c8ce9eb2cf0b1c2f8bcf322eb349b6be34dbb6"

ARCHIVES = {
    "urbansound8k": Archive(
        folder="UrbanSound8K",
        url="https://zenodo.org/records/1203745/files/UrbanSound8K.tar.gz?download=1",
        file="UrbanSound8K.tar.gz",
        top="UrbanSound8K",
        size_bytes=6_023_741_708,
        unpacked_bytes=7_100_000_000,
        checksum="md5:9aa69802bbf37fb986f71ec1483a196e",
        clips=8732,
        read=catalog.urbansound8k,
        licence="CC BY-NC (not for commercial use); credits in FREESOUNDCREDITS.txt",
    ),
    "esc50": Archive(
        folder="ESC-50",
        url=f"https://github.com/karolpiczak/ESC-50/archive/{_ESC50_COMMIT}.zip",
        file="ESC-50.zip",
        top=f"ESC-50-{_ESC50_COMMIT}",
        size_bytes=645_832_161,
        unpacked_bytes=900_000_000,
        checksum="sha256:661183a6f53ef04f12c9bd618fed0ddc1713280d6c94a5a5431e844ba6f6a21f",
        clips=2000,
        read=catalog.esc50,
        licence="CC BY-NC (not for commercial use), its ESC-10 part CC BY; credits in LICENSE",
    ),
}


def install(archive, data_dir, url=None):
    """Download an Archive into `data_dir` and unpack it there; what is complete is left as it is.

    The archive is removed once the data set stands.

    Args:
      archive: an Archive.
      data_dir: folder, made if need be.
      url: instead of the archive's own; size and checksum hold for it too.

    Returns:
      (path of the data set, True if it was there already).

    Raises:
      InputError: an incomplete data set is in the way, too little space, the download fails, the
        archive is not what it should be.
    """
    data_dir = Path(data_dir)
    root = data_dir / archive.folder
    if root.exists():
        _check_complete(archive, root, root, advice=f"move {root} away and run again")
        return root, True
    file = data_dir / archive.file
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{data_dir}: can't be made ({error.strerror}); pass another --data_dir") from None
    _check_space(archive, data_dir)
    transfer.fetch(url or archive.url, file, archive.size_bytes, archive.checksum)
    unpack(archive, file, root)
    file.unlink()
    return root, False


def _check_space(archive, data_dir):
    held = sum(path.stat().st_size for path in data_dir.glob(f"{archive.file}*"))
    needed = archive.unpacked_bytes + max(0, archive.size_bytes - held)
    free = shutil.disk_usage(data_dir).free
    if free < needed:
        raise InputError(
            f"{data_dir}: {needed / 1e9:.1f} GB are needed and {free / 1e9:.1f} GB free; "
            "make room or pass another --data_dir"
        )


def _check_complete(archive, root, blamed, advice):
    """Raise InputError about the path `blamed` unless `root` holds the whole data set."""
    try:
        found = len(archive.read(root).clips)
    except InputError as error:
        raise InputError(f"{blamed}: not complete; {advice} ({error})") from None
    if found != archive.clips:
        raise InputError(f"{blamed}: {found} of {archive.clips} clips; {advice}")


def unpack(archive, file, root):
    """Unpack `file`, an Archive's, beside `root` and rename it to `root` once all clips are there.

    Raises:
      InputError: damaged; an entry that is neither file nor folder or that leads outside; clips
        missing; no space. Nothing is left then.
    """
    beside = root.with_name(f".{root.name}.unpacking")
    shutil.rmtree(beside, ignore_errors=True)
    try:
        entries = _tar_entries(file) if file.name.endswith(".tar.gz") else _zip_entries(file)
        with (
            tqdm(
                desc="unpacking", total=archive.unpacked_bytes, unit="B", unit_scale=True, mininterval=0.5, disable=None
            ) as shown,
            contextlib.closing(entries),
        ):
            for name, size_bytes, plain, extract in entries:
                _check_entry(file, name, plain)
                extract(beside)
                shown.update(size_bytes)
        _check_complete(archive, beside / archive.top, file, advice=f"remove {file} and run again")
        (beside / archive.top).rename(root)
    except (tarfile.TarError, zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise InputError(f"{file}: damaged ({error}); remove it and run again") from None
    except OSError as error:
        raise InputError(f"{root}: can't be unpacked ({error.strerror or error}); make room and run again") from None
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _check_entry(file, name, plain):
    # The Windows reading knows both slashes and drive letters, so one check holds on every system.
    path = PureWindowsPath(name)
    if path.anchor or ".." in path.parts:
        raise InputError(f"{file}: its entry '{name}' leads outside; don't trust this archive")
    if not plain:
        raise InputError(f"{file}: its entry '{name}' is neither file nor folder; don't trust this archive")


def _tar_entries(file):
    """Yield (name, size in bytes, whether a plain file or folder, function that extracts it into a folder)."""
    with tarfile.open(file, "r:gz") as archive:
        for entry in archive:
            plain = entry.isreg() or entry.isdir()
            yield entry.name, entry.size, plain, lambda to, e=entry: archive.extract(e, to, filter="data")


def _zip_entries(file):
    """As `_tar_entries`."""
    with zipfile.ZipFile(file) as archive:
        for entry in archive.infolist():
            plain = stat.S_IFMT(entry.external_attr >> 16) in (0, stat.S_IFREG, stat.S_IFDIR)
            yield entry.filename, entry.file_size, plain, lambda to, e=entry: archive.extract(e, to)
