"""The record that is all the rest of the project knows of a data set."""

import dataclasses
from collections.abc import Callable

# Settings of DataConfig that a data set may need, with the end of the line for who left them out.
NEEDS = {"data_dir": "to know where it lies: pass --data_dir=FOLDER", "csv": "its table: pass --csv=FILE"}
MADE_UP = "The clips are synthetic: these figures show that the program works and say nothing about real sounds."


@dataclasses.dataclass(frozen=True)
class Archive:
    """The archive that a data set's authors publish.

    Attributes:
      folder: name that the data set gets in the data folder.
      url: where its authors publish it.
      file: name of the archive; ends in .tar.gz or .zip.
      top: the folder in the archive that holds the data set.
      size_bytes: of the archive.
      unpacked_bytes: about what it takes when unpacked.
      checksum: "md5:HEX" or "sha256:HEX" of the archive.
      clips: number of clips in the data set.
      read: data folder to Catalog; raises InputError where anything is missing.
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


@dataclasses.dataclass(frozen=True)
class DataSet:
    """How a data set is read, what it is and under which licence.

    Attributes:
      name: what --dataset calls it.
      title: its name in sentences.
      authors: who made it, and the year.
      licence: of the sounds, in a few words.
      licence_note: what else must be said of the licence.
      load: function of a DataConfig that returns the Catalog of its `folds`. It raises InputError where
        a table is faulty or, unless its `bad_clips` is "skip", a file is missing (`catalog.checked`).
      needs: None, or the setting that must be given, one of NEEDS.
      made_up: whether the sounds are synthetic; warnings say so then wherever figures stand.
      archive: None, or the Archive that `python -m urbansound.download` installs.
    """

    name: str
    title: str
    authors: str
    licence: str
    licence_note: str
    load: Callable
    needs: str | None = None
    made_up: bool = False
    archive: Archive | None = None

    @property
    def terms(self):
        """The licence of the sounds with its note."""
        return f"{self.licence} ({self.licence_note})"

    @property
    def warnings(self):
        """Sentences to be read before any figures on this data set."""
        return [MADE_UP] if self.made_up else []
