"""Who writes a store: a record of each run, with a heartbeat, in a folder next to the store.

A run writes alone; parts of one division may write at the same time. No lock of the operating
system can tell that on every file system, so each run has a file, its record, which it writes again
every `BEAT` seconds. Whoever finds the record of another run knows whether that run lives: on the
same machine by its process, elsewhere by watching the record. A record that stays the same for
`SILENT` seconds is of a run that died, or whose machine did, and is removed. Ages are measured by
the file system's clock and by a clock that nobody sets, so that machines may disagree on the time.

A run whose record was removed, because it was suspended for too long, stops when its next block
ends (`Holding.check`). Its workers write nothing more: they look for the record before each write.
"""

import json
import os
import random
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from ..sweeps.part import Part
from .errors import StoreError, explained
from .exchange import clear, resolved
from .lock import SILENT, held, written_error
from .machines import batch_job, identity
from .places import check_place
from .records import (
    MADE_BY,
    PREPARING,
    RECORD,
    Record,
    clear_left,
    list_records,
    record_name,
    runs_folder,
)

BEAT = 5.0  # seconds between two heartbeats
POLL = 0.5  # seconds between two looks at the record of another run
WAIT_AT_END = 5.0
Teller = Callable[[str], None]


class Holding:
    """The right of this run to write a store; a thread keeps its record fresh.

    Attributes:
        key: identifies the run; its other files in the folder of the records begin with it.
        alone: whether no other part was writing when this one began.
    """

    def __init__(self, path: Path, part: Part | None, alone: bool):
        self.key = record_name(uuid.uuid4().hex, part)
        self.alone = alone
        self._path = path
        self._file = runs_folder(path) / f"{self.key}{RECORD}"
        self._preparing = runs_folder(path) / f"{self.key}{PREPARING}"
        self._fields: dict[str, Any] = {
            "made_by": MADE_BY,
            **identity(),
            "job": batch_job(),
            "beat": 0,
            "figures": {},
        }
        self._turn = threading.Lock()
        self._ended = threading.Event()
        self._lost = False
        self._longest = 0
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def begin(self) -> None:
        """Write the record, and begin to keep it fresh.

        Raises:
            OSError: it cannot be written.
        """
        self._file.parent.mkdir(exist_ok=True)
        try:
            if self.alone:
                self._preparing.touch(exist_ok=False)
            self._file.touch(exist_ok=False)
            self._write_now()
        except OSError:
            with suppress(OSError):
                self._record.remove()
            raise
        self._thread.start()

    @property
    def _record(self) -> Record:
        return Record(self._file, None)

    def prepared(self) -> None:
        """Say that the store exists and has its layout, for which other parts wait."""
        self._preparing.unlink(missing_ok=True)

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
        """Remove the record and what belongs to it, also if an interruption ends the wait."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()
        try:
            with held(self._path, wait=WAIT_AT_END):
                self._record.remove()
                with suppress(OSError):
                    self._file.parent.rmdir()
        except BaseException as error:
            # The folder stays until the next run ends.
            with suppress(OSError):
                self._record.remove()
            if not isinstance(error, (StoreError, OSError)):
                raise

    def _beat(self) -> None:
        while not self._ended.wait(BEAT):
            self._write()

    def _write(self) -> None:
        try:
            self._write_now()
        except FileNotFoundError:
            self._lost = True
        except OSError:
            pass  # a full disk or a server that is away for a moment: the next heartbeat may arrive

    def _write_now(self) -> None:
        """Write the record in place: on NFS, others see a renamed file only after a minute."""
        with self._turn:
            self._fields["beat"] += 1
            text = json.dumps(self._fields).encode()
            # A record does not shrink, so that a reader meets no end of an earlier one.
            self._longest = max(self._longest, len(text))
            with self._file.open("r+b", buffering=0) as opened:
                opened.write(text.ljust(self._longest))


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


class _Seen(NamedTuple):
    """What was seen of a record.

    Attributes:
        content: its bytes.
        age: seconds since its last heartbeat then.
        since: when that was, by a clock that nobody sets.
        changed: whether it has changed before, so that its run was alive.
    """

    content: bytes | None
    age: float
    since: float
    changed: bool


class _Watch:
    """Watches the runs that are in the way until they end, die, or prove to be alive."""

    def __init__(self, path: Path, part: Part | None, tell: Teller):
        self._path = path
        self._part = part
        self._tell = tell
        self._told: set[str] = set()
        self._seen: dict[Path, _Seen] = {}

    def attempt(self) -> Holding | None:
        """Take the store if nothing is in the way; None if it is worth to look again.

        Raises:
            StoreError: another run writes the store.
        """
        holding = None
        try:
            with (
                held(self._path),
                explained(self._path, "entering this run"),
            ):
                in_the_way, others = self._look()
                if not in_the_way:
                    if not others:
                        clear_left(self._path)
                    holding = Holding(self._path, self._part, alone=not others)
                    holding.begin()
            if holding is not None and not self._has_rival(holding):
                return holding
        except BaseException:
            if holding is not None:
                holding.end()
            raise
        if holding is None:
            for record in in_the_way:
                self._wait_for(record)
        else:
            holding.end()
            time.sleep(random.uniform(0, 4 * POLL))
        return None

    def _look(self) -> tuple[list[Record], bool]:
        """Remove the records of dead runs that matter here.

        Returns:
            The records that are in the way, and whether there is any record of a living run. Of
            many parts at work only one is read.
        """
        records, preparing = list_records(self._path)
        in_the_way, others, now = [], False, None
        for listed in records:
            blocks = self._blocks(listed, preparing)
            if others and not blocks:
                continue
            if (record := listed.read()) is None:
                continue
            if blocks and now is None:
                now = self._now()
            if record.is_dead() or (blocks and self._is_silent(record, now)):
                record.remove()
                continue
            others = True
            if blocks:
                in_the_way.append(record)
        return in_the_way, others

    def _blocks(self, record: Record, preparing: set[str]) -> bool:
        return record.key in preparing or not self._is_compatible(record)

    def _is_compatible(self, record: Record) -> bool:
        own, other = self._part, record.part
        return bool(own and other and own.count == other.count and own.index != other.index)

    def _has_rival(self, holding: Holding) -> bool:
        """Say whether another run entered at the same time: some locks hold on one machine only."""
        records, preparing = list_records(self._path)
        return any(
            self._blocks(record, preparing) for record in records if record.key != holding.key
        )

    def _is_silent(self, record: Record, now: float | None) -> bool:
        """Say whether a record has stayed the same for `SILENT` seconds, and watch it from now."""
        seen = self._seen.get(record.file)
        if seen is None:
            self._seen[record.file] = _Seen(
                record.content, record.age(now), time.monotonic(), changed=False
            )
            return False
        if seen.content != record.content:
            self._seen[record.file] = _Seen(record.content, 0.0, time.monotonic(), changed=True)
            return False
        watched = time.monotonic() - seen.since
        # Watched for some time in any case: the first age rests on clocks.
        return watched > 2 * BEAT and seen.age + watched > SILENT

    def _now(self) -> float:
        """Give the time by the clock of the file system with the records."""
        with tempfile.NamedTemporaryFile(dir=resolved(self._path).parent) as probe:
            return os.stat(probe.fileno()).st_mtime

    def _wait_for(self, record: Record) -> None:
        """Say what is waited for.

        Raises:
            StoreError: the run is alive, and does not end by itself in a moment.
        """
        seen = self._seen[record.file]
        if self._is_compatible(record):
            self._say(f"waiting for part {record.part}, which prepares the store")
        elif record.fields and (record.is_alive() or seen.changed):
            raise written_error(self._path, record.who)
        else:
            self._say(
                f"{record.who} wrote {self._path} {seen.age:.0f} s ago; waiting for a sign of it, "
                f"at most {max(SILENT - seen.age, 2 * BEAT):.0f} s"
            )

    def _say(self, text: str) -> None:
        key = text.split(" s ago")[0]
        if key not in self._told:
            self._told.add(key)
            self._tell(text)
