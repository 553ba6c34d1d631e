"""What a run shows of itself on terminals of any width."""

import errno
import io
from dataclasses import replace

import pytest
from rich.console import Console

from genprior.pipeline.run.summary import RunSummary
from genprior.pipeline.show.progress import Bar, clock, progress

HALF = RunSummary(
    "tiny.zarr", total=12_345, already_done=145, computed=6_000, crashed=17, successes=1_500,
    wall_seconds=600.0,
)  # fmt: skip


def shown(width: int, summary: RunSummary | None = HALF, phase: str = "") -> str:
    """The line that a bar draws on a terminal of a width."""
    console = Console(
        file=io.StringIO(),
        width=width,
        force_terminal=True,
        color_system=None,
        legacy_windows=False,
    )
    bar = Bar(console)
    bar.phase(phase)
    bar.expect(12_345)
    if summary is not None:
        bar.listen(summary)
    console.print(bar.render())
    return console.file.getvalue()


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_every_terminal_shows_count_share_rate_and_time_left(width: int) -> None:
    """6 017 trials in 600 s are 10.0 a second, so that 6 183 others take 10 min 16 s."""
    line = shown(width)
    assert line.count("\n") == 1
    assert len(line.rstrip()) + len("^C") < width
    for figure in ("6162/12345", "49 %", "10/s", "10:16 left"):
        assert figure in line
    assert line.index("6162/12345") >= 10  # the bar


def test_wide_terminals_show_more() -> None:
    assert "elapsed" in shown(80)
    assert "success so far 24 %" in shown(120)
    assert "17 crashed" in shown(120)
    assert "2 workers died" in shown(140, replace(HALF, workers_lost=2))


@pytest.mark.parametrize("width", [20, 40])
def test_narrow_terminals_show_what_matters_most(width: int) -> None:
    assert "6162"[:width] in shown(width)


def test_before_the_first_trial_it_says_what_goes_on() -> None:
    line = shown(60, None, "starting workers")
    for part in ("starting workers", "0/12345 trials", "0:00"):
        assert part in line


def test_a_run_of_nothing_is_shown_too() -> None:
    assert "0/0" in shown(80, RunSummary("tiny.zarr", total=0, already_done=0))


def test_a_clock_has_hours_only_where_there_are_some() -> None:
    assert [clock(s) for s in (0, 61.9, 3600)] == ["0:00", "1:01", "1:00:00"]


def test_a_run_goes_on_where_nothing_can_be_printed() -> None:
    """A log on a disk that fills up must not end a run of hours."""
    tried: list[str] = []

    class Full(io.StringIO):
        def write(self, text: str) -> int:
            tried.append(text)
            raise OSError(errno.ENOSPC, "No space left on device")

    with progress(Console(file=Full())) as shown:
        shown.expect(4)
        shown.tell("stopping")
        shown.listen(HALF)
    assert tried
