"""Records found by their names: the project's own, and those that other packages bring by entry points."""

from importlib.metadata import EntryPoint, entry_points

from urbansound.errors import InputError


class Registry:
    """Records of one kind; each is imported when it is asked for, since some load Keras.

    Args:
      setting: the name of the setting that chooses one, for messages.
      group: of the entry points of other packages.
      own: {name: "module:ATTRIBUTE"} of the project's own records, which come first.
    """

    def __init__(self, setting, group, own):
        self._setting = setting
        self._entries = {name: EntryPoint(name, place, group) for name, place in own.items()}
        for entry in entry_points(group=group):
            self._entries.setdefault(entry.name, entry)

    def names(self):
        """Names of all records."""
        return tuple(self._entries)

    def get(self, name):
        """The record of that name.

        Raises:
          InputError: there is none, or the record has another name.
        """
        if name not in self._entries:
            raise InputError(f"{self._setting} must be one of {', '.join(self._entries)}. Received: {name}")
        record = self._entries[name].load()
        if record.name != name:
            raise InputError(f"{self._setting} {name} has a record of the name {record.name}; give both the same")
        return record
