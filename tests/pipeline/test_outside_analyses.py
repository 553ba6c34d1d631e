"""An analysis from outside the packages: one class, and the page that shows how."""

import json
import pickle
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from click.testing import Result
from helpers import (
    PROJECT,
    Scripted,
    assert_names,
    files,
    offer,
    recovery_sweep,
    refused,
    results,
    tiny_sweep,
    write_sweep,
)
from spread_analysis import Spread, Spreads

from genprior.pipeline import run_sweep
from genprior.pipeline.analyses import Analysis, analyses, analysis_of, forget, register
from genprior.pipeline.fit.fitting import fit_store
from genprior.pipeline.testing import check_analysis
from genprior.store import read_info
from genprior.sweeps import Sweep, SweepError, readings, union
from genprior.sweeps.reserved import reserved_names

Command = Callable[..., Result]


@pytest.mark.slow
def test_an_analysis_from_outside_is_swept_fitted_and_drawn(
    spread: type[Spread], genprior: Command, kind: Scripted, store: Path, computed: list[str]
) -> None:
    """Its table in the sweep file, a setting, its group, rows, table and picture: one class."""
    sweep = tiny_sweep(spreads={"over": "m"}, fit={"along": "m"})
    file = write_sweep(sweep, store.parent / "mine.toml")
    assert genprior("run", file, store, "--set", "spreads.quantile=0.5").exit_code == 0
    assert read_info(store).sweep.spreads == Spreads(over="m", quantile=0.5)
    found = json.loads(genprior("fit", store, "--json").stdout)
    medians = results(store)["latent_error"].median("trial")
    np.testing.assert_allclose(
        [row["quantile"] for row in found["quantiles"]], medians.values.ravel()
    )
    assert len(found["transitions"]) == 3
    kept = xr.open_zarr(store, group="analysis/spread").load()
    np.testing.assert_allclose(kept["quantile"], medians)
    assert kept["crashed"].sum() == 0
    assert kept.attrs["trials_used"] == 48
    assert "ninth decile" in genprior("fit", store).stdout
    status = json.loads(genprior("status", store, "--json").stdout)
    assert status["analyses"]["spread"] == {"trials": 48, "outdated": None}
    computed.clear()
    picture = store.parent / "spread.svg"
    assert genprior("plot", store, "-o", picture).exit_code == 0
    assert computed == []
    assert "quantile" in picture.read_text()
    # Another setting makes another one, which no picture takes for it.
    assert genprior("run", file, store).exit_code == 0
    status = json.loads(genprior("status", store, "--json").stdout)
    assert "other settings" in status["analyses"]["spread"]["outdated"]
    assert genprior("plot", store, "-o", picture).exit_code == 0
    assert computed == ["spread"]


@pytest.mark.parametrize(
    ("spreads", "named"),
    [
        ({"over": "mm"}, ["spreads.over", "'mm'", "'m'"]),
        ({"over": "m", "quantil": 0.1}, ["'spreads.quantil'", "'quantile'"]),
        ({"over": "m", "quantile": 2}, ["'spreads.quantile'", "2"]),
        ({"over": "m", "quantile": "0.5"}, ["'spreads.quantile'", "0.5"]),
    ],
)
def test_its_table_is_checked_as_any_other(
    spread: type[Spread], spreads: dict[str, Any], named: list[str]
) -> None:
    with refused(SweepError, *named):
        tiny_sweep(spreads=spreads)


def test_its_keys_are_suggested_and_its_names_reserved(spread: type[Spread]) -> None:
    sweep = tiny_sweep(spreads={"over": "m"})
    with refused(SweepError, "'spreads.quantlie'", "'spreads.quantile'"):
        sweep.override(["spreads.quantlie=0.5"])
    assert sweep.override(["spreads=default"]).spreads is None
    assert "quantile" in reserved_names()
    axes = {"k": [2], "quantile": [2, 3]}
    with refused(SweepError, "'quantile'"):
        tiny_sweep(axes=axes, fit={}, dependent={"m": {"of": "k", "times": "quantile"}})


def test_a_table_changes_how_results_are_read_and_not_the_experiment(spread: type[Spread]) -> None:
    plain, reading = tiny_sweep(), tiny_sweep(spreads={"over": "m"})
    assert plain.hash == reading.hash
    assert union(plain, reading).spreads == reading.spreads
    assert union(reading, plain).spreads is None
    assert Sweep.parse(reading.as_dict()) == reading


@pytest.mark.slow
def test_without_its_class_a_store_opens_and_says_what_is_lacking(
    spread: type[Spread], genprior: Command, kind: Scripted, store: Path
) -> None:
    run_sweep(tiny_sweep(spreads={"over": "m"}), store, kind=kind)
    fit_store(store)
    kept = files(store / "analysis" / "spread")
    forget("spread")
    with refused(SweepError, "'spreads'"):
        tiny_sweep(spreads={"over": "m"})
    assert read_info(store).sweep.unread == {"spreads": {"over": "m", "quantile": 0.9}}
    status = json.loads(genprior("status", store, "--json").stdout)
    assert status["analyses"]["spread"] == {"trials": 48, "outdated": None}
    assert status["not_made"] == ["[spreads] (its analysis is not installed here)"]
    found = json.loads(genprior("fit", store, "--json").stdout)
    assert len(found["transitions"]) == 3
    assert "[spreads]" in found["left_out"][0]
    assert genprior("plot", store, "-o", store.parent / "x.png").exit_code == 0
    assert files(store / "analysis" / "spread") == kept
    # A run marks it, though it does not know what it is.
    run_sweep(read_info(store).sweep.override(["trials=5"]), store, kind=kind)
    assert not (store / "analysis" / "spread").exists()
    register(Spread)
    assert read_info(store).sweep.spreads == Spreads(over="m")


def test_installed_packages_offer_analyses(
    monkeypatch: pytest.MonkeyPatch, genprior: Command, kind: Scripted, store: Path
) -> None:
    """As entry points; one that cannot be loaded is named where its table is not known."""
    site = store.parent / "site"
    offer(site, readings.GROUP, spread="spread_analysis:Spread", gone="nowhere_at_all:Gone")
    monkeypatch.syspath_prepend(site)
    readings.search_again()
    try:
        run_sweep(tiny_sweep(spreads={"over": "m"}), store, kind=kind)
        assert "quantiles" in json.loads(genprior("fit", store, "--json").stdout)
        assert list(readings.unloadable()) == ["gone"]
        with refused(SweepError, "'gonners'", "'gone'"):
            tiny_sweep(gonners={})
    finally:
        forget("spread")
        monkeypatch.undo()
        readings.search_again()


def test_what_is_no_analysis_is_not_registered() -> None:
    class Nameless(Spread):
        name = "nameless"
        settings_name = "law"

    with pytest.raises(SweepError, match="int"):
        register(int)  # type: ignore[arg-type]
    with pytest.raises(SweepError, match="'law'"):
        register(Nameless)
    Nameless.settings_name = "trials"
    with pytest.raises(SweepError, match="'trials'"):
        register(Nameless)
    assert analysis_of("nameless") is None


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "law"},
        {"name": "default"},
        {"name": "two words"},
        {"name": None},
        {"json_name": "laws"},
        {"json_name": "left_out"},
        {"json_name": "two words"},
        {"settings_name": "solver"},
        {"settings_name": "parse"},
        {"settings_name": "lambda"},
        {"settings": dict},
        {"settings": None},
        {"version": None},
        {"after": "transition"},
        {"after": ("other",)},
        {"names": lambda self: 1 / 0},
        {"compute": Analysis.compute},
        {"__init__": lambda self: sys.exit(3)},
    ],
    ids=lambda changes: "-".join(changes),
)
def test_an_analysis_that_would_break_others_is_refused(changes: dict[str, Any]) -> None:
    """By the same rules and in the same class of errors as all other classes from outside."""
    before = [analysis.name for analysis in analyses()]
    found = type("Other", (Spread,), {"name": "other", **changes})
    with pytest.raises(SweepError, match="Other"):
        register(found)
    assert [analysis.name for analysis in analyses()] == before


def test_an_analysis_is_made_after_those_that_it_reads(spread: type[Spread]) -> None:
    """Whatever was registered first; a class that is registered again keeps its place."""
    changes = {"name": "early", "json_name": "early", "settings_name": "early"}
    early = register(type("Early", (Spread,), changes))
    try:
        register(type("Spread", (Spread,), {"after": ("early", "nowhere")}))
        names = [analysis.name for analysis in analyses()]
        assert names.index("early") < names.index("spread")
        assert names.index("transition") < names.index("comparison")
        register(early)
        register(Spread)
        assert [analysis.name for analysis in analyses()][-2:] == ["spread", "early"]
        with pytest.raises(SweepError, match="early → early"):
            register(type("Early", (early,), {"after": ("early",)}))
    finally:
        forget("early")


def test_a_sweep_with_tables_is_pickled(spread: type[Spread]) -> None:
    sweep = tiny_sweep(spreads={"over": "m"}, compare={"over": "k"})
    assert pickle.loads(pickle.dumps(sweep)) == sweep
    forget("spread")
    assert pickle.loads(pickle.dumps(sweep)).unread == {"spreads": {"over": "m", "quantile": 0.9}}


def test_what_trials_do_not_give_is_refused_before_they_run(
    spread: type[Spread], genprior: Command, store: Path
) -> None:
    sweep = tiny_sweep(task="no-operation", spreads={"over": "m"})
    file = write_sweep(sweep, store.parent / "mine.toml")
    result = genprior("run", file, store)
    assert result.exit_code == 2
    assert_names(result.stderr, "spreads", "'no-operation'", "'latent_error'")


@pytest.mark.slow
def test_the_example_of_the_page_is_complete(genprior: Command, store: Path) -> None:
    page = PROJECT / "docs" / "analyses.md"
    (code,) = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    try:
        exec(compile(code, str(page), "exec"), names := {"__name__": "quantiles"})
        run_sweep(recovery_sweep(fit={}, quantiles={"over": "m"}), store)
        rows = json.loads(genprior("fit", store, "--json").stdout)["quantiles"]
        assert [row["m"] for row in rows[:4]] == [3, 5, 7, 9]
        assert len(rows) == 12
        assert genprior("fit", store).stdout.count("\n") > 12
        assert genprior("plot", store, "-o", store.parent / "x.png").exit_code == 0
        check_analysis(names["Quantile"], quantiles={"over": "m"})
        sweep = recovery_sweep(fit={}).override({"quantiles": {"over": "m"}})
        assert sweep.quantiles.over == "m"
    finally:
        forget("quantile")


def test_the_page_lists_every_analysis() -> None:
    page = PROJECT / "docs" / "analyses.md"
    rows = re.findall(r"^\| `(\w+)` \|.*\| `(\w+)` \|", page.read_text(encoding="utf-8"), re.M)
    assert rows == [(analysis.name, analysis.json_name) for analysis in analyses()]
