"""Fits of many groups: in this process, or on workers that give the same."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import xarray as xr
from click.testing import Result
from helpers import Scripted, tiny_sweep

import genprior as gp
from genprior.pipeline import run_sweep
from genprior.pipeline.executors.base import Executor
from genprior.pipeline.executors.synchronous import Synchronous
from genprior.pipeline.fit.fitting import fit_store
from genprior.pipeline.fit.group_calls import BATCH, GroupCalls
from genprior.store import open_analysis

Command = Callable[..., Result]


def square(number: int) -> int:
    if number < 0:
        raise ValueError(f"{number} is negative")
    return number**2


class Opened:
    """Opens a synchronous executor, and counts how often."""

    def __init__(self) -> None:
        self.opened = self.closed = 0

    @contextmanager
    def __call__(self) -> Iterator[Executor]:
        self.opened += 1
        yield Synchronous()
        self.closed += 1


@pytest.mark.parametrize("groups", [0, 1, BATCH, BATCH + 1, 3 * BATCH + 5])
def test_results_come_in_the_order_of_the_groups(groups: int) -> None:
    opened, counted = Opened(), list[tuple[str, int, int]]()
    with GroupCalls(opened, few=0, count=lambda *said: counted.append(said)) as call_each:
        assert call_each(square, range(groups)) == [n**2 for n in range(groups)]
    assert opened.opened == opened.closed == (groups > 0)
    assert [said[1] for said in counted[-1:]] == [groups] * bool(groups)


def test_few_groups_stay_in_this_process_and_workers_serve_all_calls() -> None:
    opened = Opened()
    with GroupCalls(opened, few=3) as call_each:
        assert call_each(square, [1, 2, 3]) == [1, 4, 9]
        assert opened.opened == 0
        assert call_each(square, range(4)) == [0, 1, 4, 9]
        assert call_each(square, [5]) == [25]
        assert (opened.opened, opened.closed) == (1, 0)
    assert opened.closed == 1


@pytest.mark.parametrize("few", [0, 9])
def test_an_error_of_a_group_is_raised(few: int) -> None:
    opened = Opened()
    with pytest.raises(ValueError, match="-1 is negative"), GroupCalls(opened, few) as call_each:
        call_each(square, [1, -1])


@pytest.mark.cluster
@pytest.mark.parametrize("options", [("--workers=2",), ("--scheduler=threads", "--workers=2")])
def test_workers_give_the_fits_of_one_process(
    genprior: Command, undisturbed: Path, store: Path, kind: Scripted, options: tuple[str, ...]
) -> None:
    run_sweep(tiny_sweep(), store, kind=kind)
    here = fit_store(store)["transition"]
    answered = genprior("fit", store, "--json", *options)
    assert answered.exit_code == 0, answered.output
    assert len(json.loads(answered.stdout)["transitions"]) == here["p50"].size
    xr.testing.assert_identical(open_analysis(store, "transition").load(), here)


@pytest.mark.parametrize(
    ("options", "named"), [(("--workers=0",), "--workers"), (("--tls-ca=x",), "--tls-ca")]
)
def test_wrong_workers_are_refused(
    genprior: Command, undisturbed: Path, options: tuple[str, ...], named: str
) -> None:
    refused = genprior("fit", undisturbed, *options)
    assert refused.exit_code == 2
    assert named in refused.stderr


def test_the_function_takes_workers_too(store: Path, kind: Scripted) -> None:
    run_sweep(tiny_sweep(), store, kind=kind)
    fitted = gp.fit(store, scheduler="synchronous", workers=1)
    assert fitted["transition"].p50.size
    with pytest.raises(gp.UserError, match="workers"):
        gp.fit(store, workers=0)
