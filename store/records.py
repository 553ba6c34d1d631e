"""Records of the runs that write a store, in a folder next to it.

A record is a file with the name of its run, and of its part if it computes one. A run's other files
in the folder begin with the same name. `PREPARING` marks a run that makes, repairs or extends the
store.
"""

import os
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..sweeps.part import Part
from .exchange import resolved
from .machines import is_here, runs_here
from .ordinary import UnsafeFileError, linked, parsed, read_file

RECORD, PREPARING = ".json", ".preparing"
NAME = re.compile(r"(?P<run>[0-9a-f]{32}(\.(?P<index>\d{1,9})-(?P<count>\d{1,9}))?)(?P<rest>\..+)")
MADE_BY = "genprior run"
LONGEST_RECORD = 100_000


@dataclass(frozen=True)
class Record:
    """The record of a run.

    Attributes:
        file: where it is.
        part: the part that the run computes; None if it writes alone.
        content: its bytes, which change with every heartbeat; None until they are read.
        fields: what it says; empty if it cannot be read at this moment.
    """

    file: Path
    part: Part | None
    content: bytes | None = None
    fields: dict[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """The name of the run."""
        return self.file.name.removesuffix(RECORD)

    @property
    def who(self) -> str:
        """Name the part, the process, the machine and the batch job."""
        known = self.fields
        part = f"part {self.part}, " if self.part else ""
        job = f", {known['job']}" if known.get("job") else ""
        return f"{part}process {known.get('process', '?')} on {known.get('host', '?')}{job}"

    def read(self) -> "Record | None":
        """Read what it says now; None if it is gone."""
        try:
            content = read_file(self.file, LONGEST_RECORD)
        except FileNotFoundError:
            return None
        except (OSError, UnsafeFileError):
            content = b""
        try:
            fields = parsed(content)
        except ValueError:
            fields = {}
        ours = isinstance(fields, dict) and fields.get("made_by") == MADE_BY
        return Record(self.file, self.part, content, fields if ours else {})

    def is_dead(self) -> bool:
        """Say whether it is of this machine and its process has ended."""
        return bool(self.fields) and is_here(self.fields) and not runs_here(self.fields)

    def is_alive(self) -> bool:
        """Say whether it is of this machine and its process runs."""
        return bool(self.fields) and is_here(self.fields) and runs_here(self.fields)

    def age(self, now: float | None = None) -> float:
        """Give the seconds since its last heartbeat; infinite if it is gone.

        Args:
            now: the time by the clock of its file system; this machine's time if None.
        """
        try:
            return max(0.0, (time.time() if now is None else now) - self.file.stat().st_mtime)
        except OSError:
            return float("inf")

    def remove(self) -> None:
        """Remove it and the other files of its run."""
        for name, match in _names(self.file.parent):
            if match["run"] == self.key and name != self.file.name:
                (self.file.parent / name).unlink(missing_ok=True)
        self.file.unlink(missing_ok=True)


def runs_folder(path: Path) -> Path:
    """Name the folder with the records of a store's runs and their other files."""
    store = resolved(path)
    return store.with_name(f".{store.name}.runs")


def record_name(run: str, part: Part | None) -> str:
    """Give the name of a run from its number and its part."""
    return run if part is None else f"{run}.{part.index}-{part.count}"


def is_recorded(path: Path, key: str) -> bool:
    """Say whether a run has its record, so that no other run has taken over."""
    return os.path.lexists(runs_folder(path) / f"{key}{RECORD}")


def read_records(path: Path) -> list[Record]:
    """Read the records of a store's runs, those of dead runs too.

    Raises:
        OSError: their folder cannot be listed.
    """
    return [read for record in list_records(path)[0] if (read := record.read()) is not None]


def list_records(path: Path) -> tuple[list[Record], set[str]]:
    """List the records of a store's runs without reading them, and the runs that prepare it.

    Raises:
        OSError: the folder cannot be listed.
        UnsafeFileError: the folder is a link.
    """
    folder = runs_folder(path)
    if folder.is_symlink():
        raise linked(folder)
    found, preparing = [], set()
    for name, match in _names(folder):
        if match["rest"] == RECORD:
            part = Part(int(match["index"]), int(match["count"])) if match["index"] else None
            found.append(Record(folder / name, part))
        elif match["rest"] == PREPARING:
            preparing.add(match["run"])
    return found, preparing


def clear_left(path: Path) -> None:
    """Remove files that workers of dead runs wrote after the records of these were removed."""
    folder = runs_folder(path)
    for name, match in list(_names(folder)):
        if match["rest"] != RECORD:
            with suppress(OSError):
                (folder / name).unlink()


def _names(folder: Path) -> Iterator[tuple[str, re.Match[str]]]:
    """List the files of runs in a folder; none if it does not exist."""
    try:
        names = sorted(os.listdir(folder))
    except FileNotFoundError:
        return
    for name in names:
        if match := NAME.fullmatch(name):
            yield name, match
