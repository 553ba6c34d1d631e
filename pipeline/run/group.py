"""One group of a run whose trials place themselves: what it holds, and its next trials."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ...store import Status, status_after_placing
from ...sweeps import Purpose, random_stream
from ...sweeps.placing import BATCH

if TYPE_CHECKING:
    from ...tasks.statistics.placement import Seen

Place = Callable[[int, np.ndarray, np.ndarray, int], None]


class Rules(NamedTuple):
    """What decides the placement of a group's trials, apart from their outcomes.

    Attributes:
        values: the whole numbers that may be placed, increasing.
        precision: half-width of the interval of the 50 % point, over it, at which the group ends.
        seed: root seed of the sweep.
        identity: identity of the group: its rounds draw from (seed, identity, round).
        direction: whether success rises (+1) or falls (−1); None if the outcomes decide.
        floor: lower bound of the values.
        most: number of trials after which the group ends in any case.
    """

    values: np.ndarray
    precision: float
    seed: int
    identity: str
    direction: int | None
    floor: float | None
    most: int


@dataclass
class Group:
    """A group: its trials in the order in which they were placed, in chunks of `BATCH`.

    A round is placed when all trials before it have ended. It depends on these, on the rules and on
    the number of the round alone, so that it does not matter how many workers there are, or whether
    a run is killed and repeated. A chunk whose placement was lost is placed again in the same way.

    Attributes:
        index: its index along each axis of the groups.
        rules: what decides the placement.
        value: where each trial is, −1 where none is; shape (probes,).
        number: its number among the trials of its value.
        round: the round in which it was placed.
        status: its status.
        success: 1, 0 or −1.
        flying: chunks that are being computed.
        ended: why it needs no further trial; "" if it needs some.
        seconds: time of the trials of this run, and `timed` their number.
        reached: half-width of the interval over the 50 % point, at the last fit.
    """

    index: tuple[int, ...]
    rules: Rules
    value: np.ndarray
    number: np.ndarray
    round: np.ndarray
    status: np.ndarray
    success: np.ndarray
    flying: set[int] = field(default_factory=set)
    ended: str = ""
    seconds: float = 0.0
    timed: int = 0
    reached: float = np.inf
    _fits: dict[bytes, "Seen"] = field(default_factory=dict)

    @cached_property
    def tried(self) -> np.ndarray:
        """Mask of the trials that this run was given; a crashed trial is run again once."""
        return np.zeros(self.value.shape, dtype=bool)

    @property
    def asked(self) -> int:
        """Number of trials that were placed."""
        return int((self.status != Status.NOT_ASKED).sum())

    def wanted(self, chunk: int) -> np.ndarray:
        """Give a mask of the trials of a chunk that have to run."""
        part = self.part(chunk)
        status = self.status[part]
        missing = (status == Status.PENDING) | (status == Status.CRASHED)
        return np.asarray(missing & (self.value[part] >= 0) & ~self.tried[part])

    @property
    def share(self) -> float:
        """Estimate the share of the group's trials that have ended."""
        if self.ended:
            return 1.0
        of_most = np.count_nonzero(self.status == Status.DONE) / self.rules.most
        return min(0.95, max(of_most, (self.rules.precision / self.reached) ** 2))

    def seen(self) -> "Seen | None":
        """Fit all trials that are done; None if there are fewer than a batch."""
        return self._seen(self.value.size // BATCH)

    @property
    def told(self) -> np.ndarray:
        """Mark the trials that are done, and whose place and outcome were not lost."""
        return np.asarray((self.status == Status.DONE) & (self.value >= 0) & (self.success >= 0))

    def part(self, chunk: int) -> slice:
        """Give the place of a chunk among the probes."""
        return slice(chunk * BATCH, (chunk + 1) * BATCH)

    def work(self, place: Place | None) -> list[int]:
        """Give the chunks that have trials to run now, and place a round if none has.

        Args:
            place: writes the placement of a chunk: its number, the values, their numbers and the
                round. None to place nothing.

        Returns:
            The chunks; none if the group has ended, or would go on with a new round.
        """
        from ...tasks.statistics.placement import MOST, round_size

        chunks, first, number = self.value.size // BATCH, self._given(), 0
        if lost := [chunk for chunk in range(first) if not self._is_placed(chunk)]:
            if place is None:
                return []
            for chunk in lost:
                self._place_given(place, chunk)
        while True:
            if todo := [chunk for chunk in range(first) if self.wanted(chunk).any()]:
                return todo
            left = min(chunks, -(-self.rules.most // BATCH)) - first
            size = min(round_size(self._asked_before(first)) // BATCH, left)
            if size <= 0:
                # With a smaller `most` than before, more trials were placed, which are run too.
                beyond = [c for c in range(first, chunks) if self._is_placed(c)]
                if todo := [chunk for chunk in beyond if self.wanted(chunk).any()]:
                    return todo
                seen = self.seen()
                self.ended = (seen and self._ending(seen)) or MOST
                return []
            number += 1
            missing = [c for c in range(first, first + size) if not self._is_placed(c)]
            if missing:
                seen = self._seen(first)
                is_last = not any(self._is_placed(chunk) for chunk in range(first, chunks))
                if is_last and seen is not None:
                    self.ended = self._ending(seen)
                    if self.ended:
                        return []
                if place is None:
                    return []
                self._place(place, number, first, size, missing, seen)
            first += size

    def _ending(self, seen: "Seen") -> str:
        """Say why no further trial is needed; "" if some are."""
        from ...tasks.statistics.placement import ending

        return ending(seen, self.rules.precision, self.rules.values)

    def _given(self) -> int:
        """Count the chunks at the begin that come from another store."""
        given = (self.round.reshape(-1, BATCH) == 0).any(axis=1)
        return int(np.flatnonzero(given).max(initial=-1)) + 1

    def _asked_before(self, chunk: int) -> int:
        return int((self.value[: chunk * BATCH] >= 0).sum())

    def _is_placed(self, chunk: int) -> bool:
        """Say whether trials of a chunk were asked for, and it is known which they are."""
        part = self.part(chunk)
        asked = self.status[part] != Status.NOT_ASKED
        known = self._is_known(part)
        return bool(asked.any() and known[asked].all())

    def _is_known(self, part: slice) -> np.ndarray:
        columns = (self.value[part], self.number[part], self.round[part])
        return np.asarray((np.stack(columns) >= 0).all(axis=0))

    def _place_given(self, place: Place, chunk: int) -> None:
        """Ask again for the trials of a chunk that comes from another store.

        If it is lost which these were, others are placed, as a round of their own.
        """
        part = self.part(chunk)
        known = self._is_known(part)
        if not known.any():
            self._place(place, 0, chunk, 1, [chunk], self._seen(chunk))
            return
        self._write(place, chunk, np.where(known, self.value[part], -1), self.number[part], 0)

    def _seen(self, chunk: int) -> "Seen | None":
        """Fit the trials before a chunk; None if there are fewer than a batch."""
        from ...tasks.statistics.placement import achieved, seen

        before = slice(0, chunk * BATCH)
        done = self.told[before]
        if np.count_nonzero(done) < BATCH:
            return None
        key = np.flatnonzero(done).tobytes()
        if key not in self._fits:
            self._fits = {
                key: seen(
                    self.value[before][done],
                    self.success[before][done] == 1,
                    direction=self.rules.direction,
                    floor=self.rules.floor,
                )
            }
        found = self._fits[key]
        self.reached = achieved(found.fit)
        return found

    def _place(
        self,
        place: Place,
        number: int,
        first: int,
        size: int,
        missing: list[int],
        seen: "Seen | None",
    ) -> None:
        """Place a round, and write those of its chunks that are missing."""
        from ...tasks.statistics.placement import first_round, next_round

        rules, count = self.rules, size * BATCH
        stream = random_stream(rules.seed, rules.identity, number, Purpose.PLACEMENT)
        if seen is None:
            values = first_round(rules.values, count, stream)
        else:
            values = next_round(seen, rules.values, count, stream)
        used = {
            (int(value), int(trial))
            for chunk in range(self.value.size // BATCH)
            if chunk not in missing
            for value, trial in zip(
                self.value[self.part(chunk)], self.number[self.part(chunk)], strict=True
            )
        }
        for chunk in missing:
            mine = values[(chunk - first) * BATCH : (chunk - first + 1) * BATCH]
            numbers = np.empty(mine.size, dtype=np.int64)
            for at, value in enumerate(mine.tolist()):
                trial = next(t for t in range(self.value.size + 1) if (value, t) not in used)
                used.add((value, trial))
                numbers[at] = trial
            self._write(place, chunk, mine, numbers, number)

    def _write(
        self, place: Place, chunk: int, values: np.ndarray, numbers: np.ndarray, number: int
    ) -> None:
        """Place the trials of a chunk; outcomes of others that were there before are pending."""
        place(chunk, values, numbers, number)
        part = self.part(chunk)
        before = (self.value[part], self.number[part])
        self.status[part] = status_after_placing(self.status[part], before, (values, numbers))
        empty = values < 0
        self.value[part] = values
        self.number[part], self.round[part] = (
            np.where(empty, -1, entries) for entries in (numbers, number)
        )
