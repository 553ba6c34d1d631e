"""Whatever a sweep file or a setting holds, it is read, or refused in one line, and soon.

A few hundred inputs are tried by default. `pytest -m fuzz tests/sweeps/test_fuzz.py` tries a
hundred thousand, others each time; with `--hypothesis-seed=N` the same again.
"""

import contextlib
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fuzz_inputs import files
from fuzz_inputs import settings as written_settings
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from genprior.sweeps import Grid, Sweep, UserError, load_sweep
from genprior.sweeps.errors import LONGEST

LONGEST_LINE = LONGEST + 3
SECONDS = 60  # of one input, by far
FEW = settings(
    derandomize=True, deadline=None, max_examples=150, suppress_health_check=list(HealthCheck)
)
MANY = settings(
    FEW,
    max_examples=50_000,
    derandomize=False,
    database=None,
    phases=[Phase.generate, Phase.shrink],
)
EXPANDED = 20_000  # points up to which a grid is made


@contextlib.contextmanager
def soon() -> Iterator[None]:
    """Fail if it takes very long."""

    def late(*arguments: Any) -> None:
        raise TimeoutError(f"more than {SECONDS} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def assert_read_or_refused(read: Callable[[], Sweep]) -> None:
    """A sweep, with a point of its grid and the same as JSON; or one line of bounded length."""
    with soon():
        line, status = "", 2
        try:
            sweep = read()
            size = 1
            for values in sweep.axes.values():
                size *= len(values)
            if size <= EXPANDED:
                Grid(sweep).point((0,) * len(sweep.axes))
            assert Sweep.parse(sweep.as_dict()) == sweep
        except UserError as error:
            line, status = str(error), error.exit_status
        assert line.isprintable()
        assert len(line) <= LONGEST_LINE
        assert status == 2


def check_file(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    assert_read_or_refused(lambda: load_sweep(str(path)))


def check_setting(sweep: Sweep, setting: str) -> None:
    assert_read_or_refused(lambda: sweep.override([setting]))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz") / "mine.toml"


@given(content=files())
@FEW
def test_any_file_is_read_or_refused_in_one_line(place: Path, content: bytes) -> None:
    check_file(place, content)


@given(name=st.sampled_from(["quickstart", "cocola-fig1"]), setting=written_settings())
@FEW
def test_any_setting_is_applied_or_refused_in_one_line(name: str, setting: str) -> None:
    check_setting(load_sweep(name), setting)


@pytest.mark.fuzz
@given(content=files())
@MANY
def test_fifty_thousand_files(place: Path, content: bytes) -> None:
    check_file(place, content)


@pytest.mark.fuzz
@given(name=st.sampled_from(["quickstart", "cocola-fig1"]), setting=written_settings())
@MANY
def test_fifty_thousand_settings(name: str, setting: str) -> None:
    check_setting(load_sweep(name), setting)
