"""Who writes a store: a record of each run, with a heartbeat, in a folder next to the store.

A run writes alone; parts of one division may write at the same time. No lock of the operating
system can tell that on every file system, so each run has a file, its record, which it writes again
every `BEAT` seconds. Whoever finds the record of another run knows whether that run lives: on the
same machine by its process, elsewhere by watching the record. A record that stays the same for
`SILENT` seconds is of a run that died, or whose machine did, and is removed. Ages are measured by
the file system's clock and by a clock that nobody sets, so that machines may disagree on the time.

A run whose record was removed while it was suspended stops when it wakes up (`Holding.check`).
Until then two runs may compute the same trials; they get the same results.
"""

import json
import os
import re
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..sweeps.part import Part
from .errors import StoreError, explained
from .exchange import clear, resolved
from .lock import SILENT, held, written_error
from .machines import batch_job, identity, is_here, runs_here
from .ordinary import UnsafeFileError, parsed, read_file
from .places import check_place

BEAT = 5.0  # seconds between two heartbeats
POLL = 0.5  # seconds between two looks at the record of another run
WAIT_AT_END = 5.0
OURS = re.compile(r"[0-9a-f]{32}\..+")  # names of files in the folder: the run's key first
MADE_BY = "genprior run"
LONGEST_RECORD = 100_000
Teller = Callable[[str], None]


@dataclass(frozen=True)
class Record:
    """The record of a run.

    Attributes:
        file: where it is.
        content: its bytes, which change with every heartbeat.
        fields: what it says; empty if it cannot be read at this moment.
    """

    file: Path
    content: bytes
    fields: dict[str, Any] = field(default_factory=dict)

    @property
    def part(self) -> Part | None:
        """The part that the run computes; None if it writes alone."""
        match self.fields.get("part"):
            case [int() as index, int() as count]:
                return Part(index, count)
        return None

    @property
    def who(self) -> str:
        """Name the process, the machine and the batch job."""
        known = self.fields
        job = f", {known['job']}" if known.get("job") else ""
        return f"process {known.get('process', '?')} on {known.get('host', '?')}{job}"

    def is_dead(self) -> bool:
        """Say whether it is of this machine and its process has ended."""
        return bool(self.fields) and is_here(self.fields) and not runs_here(self.fields)

    def is_alive(self) -> bool:
        """Say whether it is of this machine and its process runs."""
        return bool(self.fields) and is_here(self.fields) and runs_here(self.fields)


def runs_folder(path: Path) -> Path:
    """Name the folder with the records of a store's runs and their other files."""
    store = resolved(path)
    return store.with_name(f".{store.name}.runs")


def read_records(path: Path) -> list[Record]:
    """Read the records of a store's runs, those of dead runs too."""
    try:
        files = sorted(f for f in runs_folder(path).glob("*.json") if OURS.fullmatch(f.name))
    except OSError:
        return []
    return [record for record in map(_read, files) if record is not None]


def age(record: Record, now: float | None = None) -> float:
    """Give the seconds since the last heartbeat of a record; infinite if it is gone.

    Args:
        record: the record.
        now: the time by the clock of its file system; this machine's time if None.
    """
    try:
        return max(0.0, (time.time() if now is None else now) - record.file.stat().st_mtime)
    except OSError:
        return float("inf")


def _read(file: Path) -> Record | None:
    try:
        content = read_file(file, LONGEST_RECORD)
    except (OSError, UnsafeFileError):
        return None
    try:
        fields = parsed(content)
    except ValueError:
        fields = {}
    ours = isinstance(fields, dict) and fields.get("made_by") == MADE_BY
    return Record(file, content, fields if ours else {})


class Holding:
    """The right of this run to write a store; a thread keeps its record fresh.

    Attributes:
        key: identifies the run; its other files in the folder of the records begin with it.
        alone: whether no other part was writing when this one began.
    """

    def __init__(self, path: Path, part: Part | None, alone: bool):
        self.key = uuid.uuid4().hex
        self.alone = alone
        self._path = path
        self._file = runs_folder(path) / f"{self.key}.json"
        self._fields: dict[str, Any] = {
            "made_by": MADE_BY,
            **identity(),
            "job": batch_job(),
            "part": part and [part.index, part.count],
            "preparing": True,
            "beat": 0,
            "figures": {},
        }
        self._turn = threading.Lock()
        self._ended = threading.Event()
        self._lost = False
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def begin(self) -> None:
        """Write the record, and begin to keep it fresh."""
        self._file.parent.mkdir(exist_ok=True)
        self._file.touch(exist_ok=False)
        self._write()
        self._thread.start()

    def prepared(self) -> None:
        """Say that the store exists and has its layout, for which other parts wait."""
        self._change(preparing=False)

    def publish(self, **figures: Any) -> None:
        """Set the figures that others read: the first at once, later ones with a heartbeat."""
        with self._turn:
            is_first = not self._fields["figures"]
            self._fields["figures"] = figures
        if is_first:
            self._write()

    def check(self) -> None:
        """Refuse to go on if another run has taken over.

        Raises:
            StoreError: this run gave no sign for so long that it counted as dead.
        """
        if self._lost:
            raise StoreError(
                f"{self._path}: this run gave no sign for more than {SILENT:.0f} s (was it "
                "suspended?), and its record is gone: another run may write now. Finished trials "
                "are kept; repeat the same command."
            )

    def end(self) -> None:
        """Remove the record and what belongs to it."""
        self._ended.set()
        self._thread.join()
        try:
            with held(self._path, wait=WAIT_AT_END):
                _remove(self._file)
                with suppress(OSError):
                    self._file.parent.rmdir()
        except StoreError:
            # The folder stays until the next run ends.
            with suppress(OSError):
                _remove(self._file)

    def _change(self, **fields: Any) -> None:
        with self._turn:
            self._fields |= fields
        self._write()

    def _beat(self) -> None:
        while not self._ended.wait(BEAT):
            self._write()

    def _write(self) -> None:
        """Write the record in place: on NFS, others see a renamed file only after a minute."""
        with self._turn:
            self._fields["beat"] += 1
            text = json.dumps(self._fields).encode()
        try:
            with self._file.open("r+b") as opened:
                opened.write(text)
                opened.truncate()
        except FileNotFoundError:
            self._lost = True
        except OSError:
            pass  # a full disk or a server that is away for a moment: the next heartbeat may arrive


@contextmanager
def exclusive(
    path: Path, part: Part | None = None, tell: Teller = lambda text: None
) -> Iterator[Holding]:
    """Hold a store for a run; first complete or remove what a killed command left.

    Args:
        path: the store.
        part: the part that the run computes; other parts of the same division may write as well.
        tell: called with a line if this has to wait for another run.

    Raises:
        WrongStoreError: no store can be at this path, or its folder cannot be replaced.
        StoreError: another run writes the store, or the folder above it cannot be written.
    """
    check_place(path)
    folder = resolved(path)
    with explained(path, "making its folder"):
        path.parent.mkdir(parents=True, exist_ok=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
    with held_for_run(path, part, tell) as holding:
        clear(path)
        try:
            yield holding
        finally:
            # If this fails, the next command clears it. Other parts may have a work area now.
            if part is None:
                with suppress(StoreError):
                    clear(path)


@contextmanager
def held_for_run(
    path: Path, part: Part | None = None, tell: Teller = lambda text: None
) -> Iterator[Holding]:
    """Hold a store as `exclusive` does, but look at nothing and clear nothing."""
    watch = _Watch(path, part, tell)
    while (holding := watch.attempt()) is None:
        time.sleep(POLL)
    try:
        yield holding
    finally:
        holding.end()


class _Watch:
    """Watches the runs that are in the way until they end, die, or prove to be alive."""

    def __init__(self, path: Path, part: Part | None, tell: Teller):
        self._path = path
        self._part = part
        self._tell = tell
        self._told: set[str] = set()
        # By record, what it said first, its age then, and when that was.
        self._seen: dict[Path, tuple[bytes, float, float]] = {}

    def attempt(self) -> Holding | None:
        """Take the store if nothing is in the way; None if it is worth to look again.

        Raises:
            StoreError: another run writes the store.
        """
        with held(self._path), explained(self._path, "entering this run"):
            others = []
            for record in read_records(self._path):
                if record.is_dead() or self._is_silent(record):
                    _remove(record.file)
                else:
                    others.append(record)
            if not others:
                _clear(runs_folder(self._path))
            in_the_way = [record for record in others if self._is_in_the_way(record)]
            if not in_the_way:
                holding = Holding(self._path, self._part, alone=not others)
                holding.begin()
                return holding
        for record in in_the_way:
            self._wait_for(record)
        return None

    def _is_in_the_way(self, record: Record) -> bool:
        return bool(record.fields.get("preparing", True)) or not self._is_compatible(record)

    def _is_compatible(self, record: Record) -> bool:
        own, other = self._part, record.part
        return bool(own and other and own.count == other.count and own.index != other.index)

    def _is_silent(self, record: Record) -> bool:
        """Say whether a record has stayed the same for `SILENT` seconds, and watch it from now."""
        content, before, since = self._seen.get(record.file, (b"", 0.0, 0.0))
        if content != record.content:
            self._seen.setdefault(
                record.file, (record.content, age(record, self._now()), time.monotonic())
            )
            return False
        watched = time.monotonic() - since
        # Watched for some time in any case: the first age rests on clocks.
        return watched > 2 * BEAT and before + watched > SILENT

    def _now(self) -> float:
        """Give the time by the clock of the file system with the records."""
        with tempfile.NamedTemporaryFile(dir=resolved(self._path).parent) as probe:
            return os.stat(probe.fileno()).st_mtime

    def _wait_for(self, record: Record) -> None:
        """Say what is waited for.

        Raises:
            StoreError: the run is alive, and does not end by itself in a moment.
        """
        content, before, _ = self._seen[record.file]
        lives = record.is_alive() or content != record.content
        if self._is_compatible(record):
            self._say(f"waiting for part {record.part}, which prepares the store")
        elif lives:
            raise _held_error(self._path, record)
        else:
            self._say(
                f"{record.who} wrote {self._path} {before:.0f} s ago; waiting for a sign of it, "
                f"at most {max(SILENT - before, 2 * BEAT):.0f} s"
            )

    def _say(self, text: str) -> None:
        key = text.split(" s ago")[0]
        if key not in self._told:
            self._told.add(key)
            self._tell(text)


def _held_error(path: Path, record: Record) -> StoreError:
    what = f"part {record.part}, " if record.part else ""
    return written_error(path, f"{what}{record.who}")


def _clear(folder: Path) -> None:
    """Remove files that workers of dead runs wrote after the records of these were removed."""
    for file in folder.glob("*.*") if folder.is_dir() else ():
        if OURS.fullmatch(file.name) and file.suffix != ".json":
            file.unlink(missing_ok=True)


def _remove(record: Path) -> None:
    """Remove a record and the other files of its run."""
    for file in [*record.parent.glob(f"{record.stem}.*"), record]:
        file.unlink(missing_ok=True)
