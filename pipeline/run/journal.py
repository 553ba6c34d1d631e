"""Notes on the trials of a block, which outlive the worker that runs it.

A block whose worker died runs again. In careful mode its worker notes each trial before and after
it runs, so that the next worker knows in which trial the last one died. A trial in which
`MOST_DEATHS` workers died is not run again. A death need not be the trial's fault: somebody may
have killed the worker, or its machine crashed. Hence one death is not enough.

A journal is a file in the folder next to the store where its runs are recorded. It has a line for
each event: a word, and the number of the trial in the block, in row-major order.
"""

from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field

from ...store import explained
from ...store.records import runs_folder
from .block_task import BlockTask

MOST_DEATHS = 3  # of workers, in one trial
RUN, END, DIED, CRASHED = "run", "end", "died", "crashed"
SUFFIX = ".journal"


@dataclass
class Notes:
    """What the journal of a block says.

    Attributes:
        events: number of its lines.
        deaths: how many workers died in a trial, by trial.
        crashed: the trials that this run has recorded as crashed, and whose worker then ended.
        running: the trial that was running when its worker died; None if none was.
    """

    events: int = 0
    deaths: Counter[int] = field(default_factory=Counter)
    crashed: set[int] = field(default_factory=set)
    running: int | None = None

    def add(self, word: str, trial: int) -> None:
        """Take an event into account."""
        self.events += 1
        self.running = trial if word == RUN else None
        if word == DIED:
            self.deaths[trial] += 1
        elif word == CRASHED:
            self.crashed.add(trial)


class Journal:
    """The journal of a block in one run; it is a file only if something was noted.

    Args:
        task: the block.
    """

    def __init__(self, task: BlockTask):
        self._store = task.path
        # The files that begin with a run's name are removed with its record.
        block = "-".join(map(str, task.block))
        self._file = runs_folder(task.path) / f"{task.run}.{block}{SUFFIX}"

    def read(self) -> Notes:
        """Read the notes.

        Raises:
            StoreError: the journal cannot be read.
        """
        notes = Notes()
        with explained(self._store, "reading its journal"), suppress(FileNotFoundError):
            for line in self._file.read_text(errors="replace").splitlines():
                word, _, trial = line.partition(" ")
                # A worker may have died while it wrote a line.
                if word in (RUN, END, DIED, CRASHED) and trial.isdecimal():
                    notes.add(word, int(trial))
        return notes

    def note(self, word: str, trial: int) -> None:
        """Write an event. The file is closed each time, so that other machines see it.

        Raises:
            StoreError: the journal cannot be written.
        """
        with explained(self._store, "writing its journal"):
            self._file.parent.mkdir(exist_ok=True)
            with self._file.open("a") as file:
                file.write(f"{word} {trial}\n")
