"""The official archives of public data sets; each is unpacked whole or not at all."""

import gzip
import shutil
import stat
import tarfile
import zipfile
import zlib
from pathlib import Path, PureWindowsPath

from tqdm import tqdm

from urbansound.data.download import transfer
from urbansound.errors import InputError


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
    """Unpack `file`, an Archive's, next to `root` and rename it to `root` once all clips are there.

    Raises:
      InputError: damaged; an entry that is neither file nor folder or that leads outside; clips
        missing; no space. Nothing is left then.
    """
    part = root.with_name(f".{root.name}.unpacking")
    shutil.rmtree(part, ignore_errors=True)
    unpack_entries = _unpack_tar if file.name.endswith(".tar.gz") else _unpack_zip
    try:
        with tqdm(
            desc="unpacking", total=archive.unpacked_bytes, unit="B", unit_scale=True, mininterval=0.5, disable=None
        ) as shown:
            unpack_entries(file, part, shown.update)
        _check_complete(archive, part / archive.top, file, advice=f"remove {file} and run again")
        (part / archive.top).rename(root)
    except (tarfile.TarError, zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise InputError(f"{file}: damaged ({error}); remove it and run again") from None
    except OSError as error:
        raise InputError(f"{root}: can't be unpacked ({error.strerror or error}); make room and run again") from None
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _unpack_tar(file, folder, on_bytes):
    """Unpack a .tar.gz into `folder`, calling `on_bytes` with the size of each entry."""

    def entries(archive):
        for entry in archive:
            yield entry
            on_bytes(entry.size)

    try:
        with tarfile.open(file, "r:gz") as archive:
            archive.extractall(folder, entries(archive), filter=_files_and_folders)
    except tarfile.SpecialFileError as error:
        raise _untrusted(file, error.tarinfo.name, "is neither file nor folder") from None
    except tarfile.FilterError as error:
        raise _untrusted(file, error.tarinfo.name, "leads outside") from None


def _files_and_folders(entry, folder):
    """The data filter of tarfile; links are refused too, which can outwit it in older Pythons (CVE-2025-4517)."""
    if entry.issym() or entry.islnk():
        raise tarfile.SpecialFileError(entry)
    return tarfile.data_filter(entry, folder)


def _unpack_zip(file, folder, on_bytes):
    """As `_unpack_tar`; zipfile has no filter, it drops what leads outside from a name without a word."""
    with zipfile.ZipFile(file) as archive:
        for entry in archive.infolist():
            path = PureWindowsPath(entry.filename)  # knows both slashes and drive letters
            if path.anchor or ".." in path.parts:
                raise _untrusted(file, entry.filename, "leads outside")
            if stat.S_IFMT(entry.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise _untrusted(file, entry.filename, "is neither file nor folder")
            archive.extract(entry, folder)
            on_bytes(entry.file_size)


def _untrusted(file, name, fault):
    return InputError(f"{file}: its entry '{name}' {fault}; don't trust this archive")
