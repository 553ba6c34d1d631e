"""`verify` and `merge` as commands and functions: output, exit statuses, trials run again."""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import zarr
from click.testing import Result
from helpers import (
    Scripted,
    assert_names,
    assert_same_results,
    files,
    flip_bit,
    recovery_sweep,
    results,
    tiny_sweep,
    write_sweep,
)

import genprior as gp
from genprior.pipeline import run_sweep
from genprior.pipeline.upkeep import rerun, verify
from genprior.store import Status, record
from genprior.tasks import EXPERIMENTS
from genprior.tasks.environment import environment

Command = Callable[..., Result]
FIELDS = [
    "store", "outcome", "trials", "chunks", "findings", "rerun", "seed", "not_checked",
]  # fmt: skip
CHUNK = "success/c/0/1/0"


@pytest.fixture
def copy(undisturbed: Path, store: Path) -> Path:
    shutil.copytree(undisturbed, store)
    return store


@pytest.fixture
def sweep_file(tmp_path: Path) -> Path:
    return write_sweep(tiny_sweep(), tmp_path / "tiny.toml")


@contextmanager
def computing_with(**others: object) -> Iterator[None]:
    """Have a check say that this process computes with something else."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rerun, "environment", lambda needs: {**environment(needs), **others})
        yield


def change_trial(path: Path) -> None:
    """Another result in the trial (2, 5, 3), with a right checksum."""
    array = zarr.open_group(path, mode="r+", use_consolidated=False)["latent_error"]
    array[0, 1, 3] = np.nextafter(array[0, 1, 3], 2)


def test_an_intact_store_ends_with_0(genprior: Command, copy: Path) -> None:
    result = genprior("verify", copy, "--seed", 5)
    assert (result.exit_code, result.stderr) == (0, "")
    assert_names(result.stdout, copy, "intact", "48 of 48 done", "20 trials", "seed 5")
    again = genprior("verify", copy, "--json", "--seed", 5)
    told = json.loads(again.stdout)
    assert list(told) == FIELDS
    assert told["trials"]["done"] == told["trials"]["total"] == 48
    assert told["rerun"] == {"trials": 20, "different": [], "environment": [], "not_run": ""}


def test_damage_ends_with_1_and_the_next_move_which_repairs_it(
    genprior: Command, copy: Path, undisturbed: Path, sweep_file: Path
) -> None:
    flip_bit(copy / CHUNK)
    result = genprior("verify", copy)
    assert result.exit_code == 1
    assert_names(result.stdout, CHUNK, "damaged", "40 of 48 done, 8 pending")
    assert_names(result.stderr, CHUNK, "--repair")
    assert result.stderr.count("\n") == 1
    result = genprior("verify", copy, "--repair", "--json")
    told = json.loads(result.stdout)
    assert (result.exit_code, told["outcome"]) == (0, "repaired")
    assert [finding["repaired"] for finding in told["findings"]] == [True]
    assert json.loads(genprior("status", copy, "--json").stdout)["trials"]["pending"] == 8
    assert genprior("verify", copy).exit_code == 0
    assert json.loads(genprior("run", sweep_file, copy, "--json").stdout)["computed"] == 8
    assert_same_results(copy, undisturbed)


@pytest.mark.slow
def test_a_damaged_analysis_is_made_again_by_fit_alone(genprior: Command, copy: Path) -> None:
    """No trial is lost, so that neither a repair nor a run is named."""
    assert genprior("fit", copy).exit_code == 0
    flip_bit(
        next(file for file in (copy / "analysis/transition/p50").rglob("c/*") if file.is_file())
    )
    result = genprior("verify", copy)
    assert result.exit_code == 1
    assert_names(result.stderr, "analysis/transition", "'genprior fit' makes it again")
    assert "repair" not in result.stderr
    assert genprior("fit", copy).exit_code == 0
    assert genprior("verify", copy).exit_code == 0


def test_a_trial_that_gives_another_result_is_damaged(
    genprior: Command, copy: Path, undisturbed: Path, sweep_file: Path
) -> None:
    """All 48 trials are run again, so that the changed one is among them."""
    change_trial(copy)
    before = files(copy)
    result = genprior("verify", copy, "--trials", 48)
    assert result.exit_code == 1
    assert_names(result.stdout, "k=2, m=5, trial=3", "'latent_error'", "1 give other results")
    assert files(copy) == before
    assert genprior("verify", copy, "--trials", 0).exit_code == 0
    assert genprior("verify", copy, "--trials", 48, "--repair").exit_code == 0
    assert int((results(copy)["status"] == Status.PENDING).sum()) == 1
    assert genprior("run", sweep_file, copy).exit_code == 0
    assert_same_results(copy, undisturbed)


def test_a_wrong_trial_that_is_not_repaired_is_not_said_to_be(
    copy: Path, scripted_calls: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A repair that does not mend a document: other arrays of the block cannot be compared."""
    change_trial(copy)
    (copy / "iterations" / "zarr.json").write_text("{")
    monkeypatch.setattr(verify, "repair_store", lambda found, variables: found.info)
    checked = gp.verify(copy, trials=48, repair=True)
    assert (checked.outcome, len(checked.rerun.different)) == ("damaged", 1)
    assert {finding.repaired for finding in checked.findings} == {False}


def test_a_difference_of_the_environment_explains_another_result(
    genprior: Command, copy: Path
) -> None:
    change_trial(copy)
    before = files(copy)
    with computing_with(machine="abacus"):
        result = genprior("verify", copy, "--trials", 48, "--repair")
        told = json.loads(genprior("verify", copy, "--trials", 48, "--json").stdout)
    assert result.exit_code == 0
    assert_names(result.stdout, "environment explains it", "machine", "'abacus' here")
    assert (told["outcome"], len(told["rerun"]["different"])) == ("intact", 1)
    assert told["rerun"]["environment"][0]["what"] == "machine"
    assert files(copy) == before


def test_a_store_of_several_environments_may_hold_results_of_another_one(
    genprior: Command, copy: Path
) -> None:
    """This process is as the store's first run; a later one was on another machine."""
    history = json.loads(results(copy).attrs["history"])
    record(copy, {"history": json.dumps([*history, {**history[0], "machine": "abacus"}])})
    change_trial(copy)
    result = genprior("verify", copy, "--trials", 48)
    assert result.exit_code == 0
    assert_names(result.stdout, "'abacus' there")


def test_a_trial_that_crashes_now_is_damaged(
    copy: Path, kind: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    crashing = Scripted(kind.folder, crash_at=(2, 5, 3))
    monkeypatch.setitem(EXPERIMENTS.built_in, "scripted", crashing.as_class())
    checked = gp.verify(copy, trials=48)
    assert checked.outcome == "damaged"
    (different,) = checked.rerun.different
    assert (different.variable, different.index) == ("", (0, 1, 3))
    assert "was told to crash" in str(different.computed)


def test_the_same_seed_draws_the_same_trials(copy: Path, scripted_calls: Scripted) -> None:
    drawn = []
    for seed in (1, 1, 2):
        before = scripted_calls.calls()
        assert gp.verify(copy, trials=6, seed=seed).rerun.trials == 6
        after = scripted_calls.calls()
        drawn.append({at for at in after if after[at] != before.get(at, 0)})
    assert len(drawn[0]) == len(drawn[2]) == 6
    assert drawn[0] == drawn[1] != drawn[2]


@pytest.fixture
def scripted_calls(kind: Scripted, monkeypatch: pytest.MonkeyPatch) -> Scripted:
    monkeypatch.setitem(EXPERIMENTS.built_in, "scripted", kind.as_class())
    return kind


def test_real_recoveries_are_the_same_again(recovered: Path) -> None:
    checked = gp.verify(recovered, trials=12)
    assert (checked.outcome, checked.rerun.trials) == ("intact", 12)
    assert checked.rerun.environment == []


def test_a_task_that_is_not_known_here_is_said_and_the_rest_is_checked(undisturbed: Path) -> None:
    """The scripted task is known to no process but those of tests that make it known."""
    checked = gp.verify(undisturbed)
    assert checked.outcome == "intact"
    assert_names(checked.rerun.not_run, "scripted")
    assert_names(checked.not_checked, "scripted")


def test_an_incomplete_store_is_intact(genprior: Command, store: Path, sweep_file: Path) -> None:
    genprior("run", sweep_file, store, "--set", "k=2")
    genprior("run", sweep_file, store, "--set", "k=6", "--set", "m=3,8")
    result = genprior("verify", store, "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["trials"]["pending"] > 0


def test_parts_are_merged_into_what_one_run_gives(
    genprior: Command, tmp_path: Path, store: Path, sweep_file: Path, undisturbed: Path
) -> None:
    """As on machines without a common disk; each part has a store of its own."""
    for part in (1, 2):
        result = genprior("run", sweep_file, tmp_path / f"{part}.zarr", "--part", f"{part}/2")
        assert result.exit_code == 0, result.output
    result = genprior("merge", tmp_path / "1.zarr", tmp_path / "2.zarr", store)
    assert (result.exit_code, result.stderr) == (0, "")
    assert_names(result.stdout, store, "48 of 48 done", "1.zarr", "2.zarr")
    held, expected = results(store).drop_vars("seconds"), results(undisturbed)
    assert held.equals(expected.drop_vars("seconds"))
    assert genprior("verify", store).exit_code == 0
    assert genprior("fit", store).exit_code == 0


@pytest.mark.slow
def test_status_tells_what_was_not_asked(
    genprior: Command, tmp_path: Path, store: Path, sweep_file: Path
) -> None:
    """K = 2 at m = 3, and k = 4 at m = 5: half of the grid of both."""
    one, two = tmp_path / "1.zarr", tmp_path / "2.zarr"
    genprior("run", sweep_file, one, "--set", "k=2", "--set", "m=3")
    genprior("run", sweep_file, two, "--set", "k=4", "--set", "m=5")
    merged = json.loads(genprior("merge", one, two, store, "--json").stdout)
    assert merged["trials"]["not_asked"] == 8
    assert merged["taken"] == {str(one): 4, str(two): 4}
    result = genprior("status", store, "--json")
    trials = json.loads(result.stdout)["trials"]
    assert (result.exit_code, trials["total"], trials["not_asked"]) == (0, 8, 8)
    assert_names(genprior("status", store).stdout, "8 not asked")
    for command in (["fit", store], ["plot", store, "-o", tmp_path / "x.png"], ["verify", store]):
        assert genprior(*command).exit_code == 0, command


REFUSED = {
    "one store": ["merge", "a.zarr", "new.zarr"],
    "only the new one": ["merge", "new.zarr"],
    "one twice": ["merge", "a.zarr", "./a.zarr", "new.zarr"],
    "no new store": ["merge", "a.zarr", "b.zarr", "a.zarr"],
    "a store that is there": ["merge", "a.zarr", "b.zarr", "other.zarr"],
    "other experiments": ["merge", "a.zarr", "other.zarr", "new.zarr"],
    "no store": ["merge", "a.zarr", "absent.zarr", "new.zarr"],
    "no store to check": ["verify", "absent.zarr"],
    "no store to repair": ["verify", "absent.zarr", "--repair"],
    "a folder": ["verify", "calls"],
    "a URL": ["verify", "s3://x/y"],
}


@pytest.mark.parametrize("case", REFUSED)
def test_wrong_usage_ends_with_2_in_one_line(
    genprior: Command, tmp_path: Path, kind: Scripted, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, settings in (("a", ["k=2"]), ("b", ["k=4"]), ("other", ["seed=8"])):
        run_sweep(tiny_sweep(*settings, "m=3", "trials=1"), Path(f"{name}.zarr"), kind=kind)
    before = sorted(path.name for path in Path().iterdir())
    result = genprior(*REFUSED[case])
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("genprior: ")
    assert result.stderr.count("\n") == 1
    assert sorted(path.name for path in Path().iterdir()) == before


@pytest.mark.parametrize(
    "wrong", [{"trials": -1}, {"trials": 1.5}, {"seed": -1}, {"repair": "yes"}]
)
def test_arguments_of_verify_are_checked(copy: Path, wrong: dict[str, object]) -> None:
    with pytest.raises(gp.UserError, match=next(iter(wrong))):
        gp.verify(copy, **wrong)


def test_functions_give_what_the_commands_print(
    genprior: Command, copy: Path, tmp_path: Path
) -> None:
    printed = json.loads(genprior("verify", copy, "--json", "--seed", 3).stdout)
    assert printed == json.loads(json.dumps(asdict(gp.verify(copy, seed=3))))
    with pytest.raises(gp.UserError, match="stores"):
        gp.merge(str(copy), tmp_path / "new.zarr")
    with pytest.raises(gp.UserError, match="two stores"):
        gp.merge([copy], tmp_path / "new.zarr")
    run_sweep(recovery_sweep("k=2", "m=3"), tmp_path / "1.zarr")
    run_sweep(recovery_sweep("k=4", "m=3"), tmp_path / "2.zarr")
    merged = gp.merge([tmp_path / "1.zarr", str(tmp_path / "2.zarr")], tmp_path / "new.zarr")
    assert merged.trials.done == merged.trials.total == 8
    assert "<tr>" in merged._repr_html_()
    assert len(str(gp.verify(tmp_path / "new.zarr")).splitlines()) == 4
