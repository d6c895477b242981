"""The official archives of public data sets; each is unpacked whole or not at all."""

import gzip
import lzma
import shutil
import stat
import tarfile
import zipfile
import zlib
from pathlib import Path, PureWindowsPath

from tqdm import tqdm

from urbansound.data.download import transfer
from urbansound.errors import InputError
from urbansound.files import check_folder
from urbansound.text import one_line

ENTRIES_PER_CLIP = 2  # and MORE_ENTRIES: folders, tables, licences
MORE_ENTRIES = 1000
DEEPEST = 20  # folders in one another
DAMAGED = (tarfile.TarError, zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, lzma.LZMAError)
HEADER_BYTES = 1 << 20  # of an entry of a .tar; data is read in smaller pieces


def install(archive, data_dir, url=None):
    """Download an Archive into `data_dir` and unpack it there; a complete data set is left as it is.

    The archive is removed once it is unpacked.

    Args:
      archive: an Archive, of a data set's record.
      data_dir: folder, made if need be.
      url: a mirror to use instead of the archive's own; size and checksum must be the same.

    Returns:
      (path of the data set, whether it was there already).

    Raises:
      InputError: `data_dir` is a file, an incomplete data set is in the way, too little space, the download fails, the
        archive is not what it should be.
    """
    data_dir = Path(data_dir)
    check_folder(data_dir, "--data_dir")
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
    """Unpack `file`, an Archive's, next to `root` and rename it to `root` once all clips are there.

    Raises:
      InputError: damaged; an entry that is neither file nor folder or that leads outside; more entries or bytes
        than the data set has; clips missing; no space. Nothing is left then.
    """
    part = root.with_name(f".{root.name}.unpacking")
    shutil.rmtree(part, ignore_errors=True)
    unpack_entries = _unpack_tar if file.name.endswith(".tar.gz") else _unpack_zip
    try:
        with tqdm(
            desc="unpacking", total=archive.unpacked_bytes, unit="B", unit_scale=True, mininterval=0.5, disable=None
        ) as shown:
            unpack_entries(file, part, _Limits(archive, file, shown.update))
        _check_complete(archive, part / archive.top, file, advice=f"remove {file} and run again")
        (part / archive.top).rename(root)
    except InputError:
        raise
    # The last two are what tarfile and zipfile raise for impossible numbers, encrypted entries and unknown methods.
    except (*DAMAGED, EOFError, ValueError, RuntimeError) as error:
        raise InputError(f"{file}: damaged ({error}); remove it and run again") from None
    except OSError as error:
        raise InputError(f"{root}: can't be unpacked ({error.strerror or error}); make room and run again") from None
    finally:
        shutil.rmtree(part, ignore_errors=True)


class _Limits:
    """What an Archive may hold: every entry is checked before it is unpacked."""

    def __init__(self, archive, file, on_bytes):
        self._entries = ENTRIES_PER_CLIP * archive.clips + MORE_ENTRIES
        self._bytes = 2 * archive.unpacked_bytes
        self.stream_bytes = self._bytes + 1024 * self._entries + HEADER_BYTES  # with the headers of a .tar
        self._file = file
        self._on_bytes = on_bytes

    def check(self, name, size):
        """Raise InputError for an entry whose name leads outside, or where there are too many entries or bytes."""
        self._entries -= 1
        self._bytes -= size
        path = PureWindowsPath(name)  # knows both slashes and drive letters
        if path.anchor or ".." in path.parts:
            raise self.refusal(name, "leads outside")
        if len(path.parts) > DEEPEST:
            raise self.refusal(name, f"is more than {DEEPEST} folders deep")
        if self._entries < 0 or self._bytes < 0 or size < 0:
            raise self.refusal(name, "is more than the data set has")
        self._on_bytes(size)

    def refusal(self, name, fault):
        """The InputError about an entry."""
        return InputError(f"{self._file}: its entry '{one_line(name, 100)}' {fault}; don't trust this archive")


class _TarStream(gzip.GzipFile):
    """The content of a .tar.gz, as far as tarfile may read it: a header in one piece, however long it says it is."""

    def __init__(self, file, most_bytes):
        super().__init__(file)
        self._most_bytes = most_bytes

    def read(self, size=-1):
        if not 0 <= size <= HEADER_BYTES or self.tell() + size > self._most_bytes:
            raise tarfile.ReadError("more than the data set has")
        return super().read(size)


def _unpack_tar(file, folder, limits):
    """Unpack a .tar.gz into `folder`."""

    def entries(archive):
        for entry in archive:
            limits.check(entry.name, entry.size)
            if not entry.isreg() and not entry.isdir():  # links too, which can outwit the filter of older Pythons
                raise limits.refusal(entry.name, "is neither file nor folder")
            yield entry

    with _TarStream(file, limits.stream_bytes) as stream, tarfile.open(fileobj=stream, mode="r:") as archive:
        archive.extractall(folder, entries(archive), filter="data")


def _unpack_zip(file, folder, limits):
    """Unpack a .zip into `folder`; an entry that holds more bytes than it says is damaged to zipfile."""
    with zipfile.ZipFile(file) as archive:
        for entry in archive.infolist():
            limits.check(entry.filename, entry.file_size)
            if stat.S_IFMT(entry.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise limits.refusal(entry.filename, "is neither file nor folder")
            archive.extract(entry, folder)
