"""A store is one labelled Zarr group that xarray opens without any help of ours."""

import ctypes
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import zarr
from helpers import (
    OldLibrary,
    Scripted,
    chunk_stamps,
    files,
    neighbours,
    recovery_sweep,
    refused,
    results,
    tiny_sweep,
)
from zarr.storage import LocalStore

from genprior.pipeline import run_sweep
from genprior.store import (
    Layout,
    Status,
    StoreError,
    choose_chunks,
    create_store,
    open_analysis,
    open_results,
    open_writer,
    read_info,
    write_analysis,
)
from genprior.store.errors import WrongStoreError
from genprior.sweeps import Grid, Sweep

pytestmark = pytest.mark.filterwarnings("error")

PARTLY = {"exclude": ("m < k",)}  # leaves out (4, 3), (6, 3) and (6, 5)


@pytest.fixture(scope="module")
def partly(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with done, crashed, pending and excluded trials: one trial of each point has run."""
    folder = tmp_path_factory.mktemp("partly")
    (folder / "calls").mkdir()
    kind = Scripted(str(folder / "calls"), crash_at=(4, 5, 0))
    path = folder / "tiny.zarr"
    info = made(tiny_sweep("blocks.trials=3", **PARTLY), path, kind)
    assert info.layout.chunks == (1, 1, 3)
    run_sweep(tiny_sweep("trials=1", "blocks.trials=3", **PARTLY), path, kind=kind)
    return path


def made(sweep: Sweep, path: Path, kind: Scripted):
    """An empty store."""
    shape = (*(len(values) for values in sweep.axes.values()), sweep.trials)
    chunks = choose_chunks(shape, sweep.blocks.trials or 1)
    create_store(path, Grid(sweep), kind.variables, chunks, _provenance(kind))
    return read_info(path)


def _provenance(kind: Scripted) -> dict[str, object]:
    from genprior.pipeline.run.provenance import provenance
    from genprior.tasks.environment import Needs, environment

    return provenance([environment(Needs(kind.name, kind.version))])


STRANGER = """
import sys
sys.modules["genprior"] = None
import xarray
dataset = xarray.open_zarr(sys.argv[1])
assert dataset["status"].dims == ("k", "m", "trial"), dataset
assert dataset["k"].attrs == {"long_name": "latent dimension", "units": "1"}, dataset["k"].attrs
one = dataset["latent_error"].sel(k=2, m=5)
assert one.notnull().values.tolist() == [True, False, False, False], one.values
"""


def test_xarray_opens_a_store_where_genprior_is_not_installed(partly: Path) -> None:
    """Every warning is an error, and no folder of ours is on the path."""
    command = [sys.executable, "-I", "-W", "error", "-c", STRANGER, str(partly)]
    subprocess.run(command, check=True, timeout=60, cwd="/")


def test_what_did_not_run_is_nan_and_has_a_status_of_its_own(partly: Path) -> None:
    """12 points × 4 trials: 3 points excluded, 9 trials run, one of them crashed."""
    dataset = results(partly)
    counts = {state: int((dataset["status"] == state).sum()) for state in Status}
    assert counts == {
        Status.PENDING: 27,
        Status.DONE: 8,
        Status.CRASHED: 1,
        Status.EXCLUDED: 12,
        Status.NOT_ASKED: 0,
    }
    for name in ("success", "latent_error", "iterations"):
        assert dataset[name].notnull().equals(dataset["status"] == Status.DONE)
    assert (
        dataset["seconds"].notnull().equals(dataset["status"].isin([Status.DONE, Status.CRASHED]))
    )
    assert (dataset["error"] != "").equals(dataset["status"] == Status.CRASHED)
    assert (dataset["status"].sel(k=6, m=[3, 5]) == Status.EXCLUDED).all()


def test_a_failure_is_not_mistaken_for_a_trial_that_did_not_run(partly: Path) -> None:
    """Failed is 0, not run is −1 in the file and NaN once read."""
    stored = zarr.open_array(partly / "success", mode="r")
    assert stored.fill_value == -1
    assert set(np.unique(stored[...])) == {-1, 0, 1}
    assert results(partly)["success"].max() == 1


def test_fill_values_say_not_run_both_to_zarr_and_to_xarray(recovered: Path) -> None:
    """Zarr fills chunks that are not there, xarray masks `_FillValue`: they have to agree."""
    raw = xr.open_zarr(recovered, chunks=None, mask_and_scale=False)
    group = zarr.open_group(recovered, mode="r")
    variables = [*read_info(recovered).variables, "seconds"]
    assert set(variables) > {"success", "latent_error", "loss", "iterations", "verdict"}
    for name in variables:
        fill, masked = group[name].fill_value, raw[name].attrs["_FillValue"]
        assert fill == masked or (np.isnan(fill) and np.isnan(masked)), name
        assert np.isnan(fill) if group[name].dtype.kind == "f" else fill == -1, name
    assert "_FillValue" not in raw["status"].attrs


def test_coded_variables_explain_their_codes(recovered: Path) -> None:
    """CF conventions: as many meanings, one word each, as values."""
    dataset = results(recovered)
    assert dataset["status"].attrs["flag_values"] == [0, 1, 2, 3, 4]
    assert dataset["status"].attrs["flag_meanings"] == "pending done crashed excluded not_asked"
    for name in ("success", "verdict", "status"):
        attributes = dataset[name].attrs
        assert len(attributes["flag_meanings"].split()) == len(attributes["flag_values"])


def test_everything_is_labelled(recovered: Path) -> None:
    dataset = results(recovered)
    for name, array in dataset.variables.items():
        assert array.attrs["long_name"], name
        is_coded = "flag_values" in array.attrs
        assert is_coded or array.dtype.kind == "U" or array.attrs["units"], name
    assert dataset["solver.step"].item() == 1.4
    assert dataset["widths"].item() == "15-20"
    assert {"problem", "ensemble", "depth", "n"} < set(dataset.coords)


def test_chunks_are_checksummed_and_metadata_is_consolidated(recovered: Path) -> None:
    group = zarr.open_group(recovered, mode="r", use_consolidated=True)
    arrays = dict(group.arrays())
    assert len(arrays) > 15
    for name, array in arrays.items():
        codecs = [codec.to_dict()["name"] for codec in array.metadata.codecs]
        assert codecs[-1] == "crc32c", name
        assert array.metadata.zarr_format == 3
        assert array.dtype.kind in "biufU", name


def test_attributes_hold_the_sweep_and_its_provenance(recovered: Path) -> None:
    attributes = results(recovered).attrs
    assert attributes["genprior_format"] == 2
    assert read_info(recovered).sweep == recovery_sweep().complete()
    assert attributes["sweep_hash"] == recovery_sweep().hash
    for name in ("kernel_version", "machine", "host", "created", "git_revision", "numpy_version"):
        assert name in attributes
    (entry,) = json.loads(attributes["history"])
    assert entry["runs"] == 1
    assert entry["numpy_version"] == attributes["numpy_version"]


@pytest.mark.parametrize(
    ("axes", "parameters", "dims", "values"),
    [
        pytest.param(
            {"k": [2], "m": [5, 9]}, {}, {"k": 1, "m": 2}, {"k": [2]}, id="an axis of one value"
        ),
        pytest.param(
            {"solver.step": [0.5, 1.4], "k": [2, 3]}, {"m": 9},
            {"solver.step": 2, "k": 2}, {"solver.step": [0.5, 1.4]}, id="a dotted axis",
        ),
        pytest.param(
            {"widths": ["7-9", "8-9"], "m": [5, 9]}, {"k": 2, "depth": 2, "widths": None},
            {"widths": 2, "m": 2}, {"widths": ["7-9", "8-9"], "n": [9, 9]}, id="an axis of text",
        ),
        pytest.param(
            {"solver.negation": [True, False]}, {"k": 2, "m": 9},
            {"solver.negation": 2}, {"solver.negation": [True, False]}, id="truth values",
        ),
        pytest.param({}, {"k": 2, "m": 9}, {}, {"k": 2, "m": 9}, id="no axis"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("blocks", [{"trials": 3}, {}], ids=["by number", "by time"])
def test_any_parameter_may_be_an_axis(
    store: Path, kind: Scripted, axes, parameters, dims, values, blocks
) -> None:
    """Dimensions are the axes in their order, then the trial; a block by time needs the pilot."""
    fixed = {"depth": 1, "widths": [12], **parameters}
    fixed = {name: value for name, value in fixed.items() if value is not None}
    sweep = tiny_sweep(axes=axes, parameters=fixed, blocks=blocks, fit={})
    assert run_sweep(sweep, store, kind=kind).exit_status == 0
    dataset = results(store)
    assert dict(zip(dataset["status"].dims, dataset["status"].shape, strict=True)) == {
        **dims,
        "trial": 4,
    }
    for name, expected in values.items():
        assert dataset[name].values.tolist() == expected
    assert run_sweep(sweep, store, kind=kind).computed == 0


def test_dependent_widths_are_labelled_along_the_axes_they_depend_on(
    store: Path, kind: Scripted
) -> None:
    """Widths follow the depth, n is the last of them, and m is 3 k; none of them is an axis."""
    dependent = {
        "widths": {"by": "depth", "table": {"1": [9], "2": [9, 12]}},
        "m": {"of": "k", "times": 3},
    }
    axes = {"depth": [1, 2], "k": [2, 4]}
    sweep = tiny_sweep(axes=axes, parameters={}, dependent=dependent, fit={})
    run_sweep(sweep, store, kind=kind)
    dataset = results(store)
    assert dataset["status"].dims == ("depth", "k", "trial")
    assert dataset["widths"].dims == ("depth",)
    assert dataset["widths"].values.tolist() == ["9", "9-12"]
    assert dataset["n"].values.tolist() == [9, 12]
    assert (dataset["m"].dims, dataset["m"].values.tolist()) == (("k",), [6, 12])


def test_blocks_at_the_edge_hold_what_is_left(store: Path, kind: Scripted) -> None:
    """Trials 0–2 and 3 are two chunks; each point has both, and both are done."""
    run_sweep(tiny_sweep("blocks.trials=3"), store, kind=kind)
    assert len(chunk_stamps(store)) == 12 * 2
    assert (results(store)["status"] == Status.DONE).all()


def test_a_block_that_is_not_one_chunk_is_refused(store: Path, kind: Scripted) -> None:
    """Two writers of one chunk would lose each other's results; xarray would let them."""
    info = made(tiny_sweep("blocks.trials=3"), store, kind)
    writer = open_writer(store, info.revision)
    whole = info.layout.region((0, 0, 0))
    block = writer.empty(whole, {v.name: v.dtype for v in kind.variables})
    before = files(store)
    for trials in (slice(0, 2), slice(1, 4), slice(0, 4), slice(3, 5)):
        region = (*whole[:-1], trials)
        with pytest.raises(ValueError, match=r"slice\(0, 1"):
            writer.write(region, block)
        with pytest.raises(ValueError, match=r"slice\(0, 1"):
            writer.read(region, ("status",))
    assert files(store) == before
    writer.write(whole, block)
    writer.write(info.layout.region((0, 0, 1)), {k: v[..., :1] for k, v in block.items()})


def test_the_status_of_a_block_is_written_last(
    store: Path, kind: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A writer that ends before the status leaves a block that counts as not run."""
    ordinary = LocalStore.set

    async def failing(local: LocalStore, key: str, *others: object) -> None:
        if key.startswith("status/c/") and (local.root / "latent_error/c/0/0/0").exists():
            raise SystemError("killed here")
        await ordinary(local, key, *others)

    sweep = tiny_sweep("blocks.trials=4")
    with monkeypatch.context() as patched:
        patched.setattr(LocalStore, "set", failing)
        with pytest.raises(SystemError, match="killed here"):
            run_sweep(sweep, store, kind=kind)
    first = results(store).sel(k=2, m=3)
    assert first["latent_error"].notnull().all()
    assert (first["status"] == Status.PENDING).all()
    assert run_sweep(sweep, store, kind=kind).computed == 48
    assert kind.calls()[2, 3, 0] == 2


def test_a_writer_refuses_a_store_it_was_not_sent_to(store: Path, kind: Scripted) -> None:
    """Workers on another file system may see another store under the same path."""
    made(tiny_sweep(), store, kind)
    with refused(StoreError, store):
        open_writer(store, "0" * 32)


def test_a_store_appears_only_when_it_is_whole(
    store: Path, kind: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("genprior.store.template.consolidate", fail)
    with pytest.raises(KeyboardInterrupt):
        run_sweep(tiny_sweep(), store, kind=kind)
    assert not store.exists()
    assert neighbours(store) == []


@pytest.mark.parametrize(
    ("shape", "trials", "chunks"),
    [
        ((3, 4, 4), 1, (1, 1, 1)),
        ((3, 4, 4), 3, (1, 1, 3)),
        ((3, 4, 4), 8, (1, 2, 4)),
        ((3, 4, 4), 31, (1, 4, 4)),
        ((3, 4, 4), 10**9, (3, 4, 4)),
        ((2, 10**6), 10**9, (1, 10_000)),
        ((4,), 2, (2,)),
    ],
)
def test_a_chunk_takes_trials_of_one_point_first(shape, trials, chunks) -> None:
    """At most so many trials, and never more than 10 000."""
    assert choose_chunks(shape, trials) == chunks
    layout = Layout(tuple("abc"[: len(shape)]), shape, chunks)
    covered = np.zeros(shape, dtype=int)
    for block in layout.block_indices() if layout.blocks < 1000 else ():
        assert layout.is_aligned(layout.region(block))
        covered[layout.region(block)] += 1
    assert layout.blocks >= 1000 or (covered == 1).all()


def test_an_analysis_is_kept_next_to_the_results_and_replaced_as_a_whole(
    store: Path, kind: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where two names cannot be exchanged, and where a fit before was killed half-way."""
    run_sweep(tiny_sweep(), store, kind=kind)
    before = results(store)
    for value in (1.0, 2.0):
        fit = xr.Dataset({"p50": ("k", [value, value])}, {"k": [2, 4]}, {"made_from": "{}"})
        write_analysis(store, "transition", fit, "{}")
        xr.testing.assert_identical(open_analysis(store, "transition").load(), fit)
        plain = xr.open_zarr(store, group="analysis/transition", chunks=None)
        xr.testing.assert_identical(plain.load(), fit)
        monkeypatch.setattr(ctypes, "CDLL", OldLibrary)
    xr.testing.assert_identical(results(store), before)
    assert [entry.name for entry in (store / "analysis").iterdir() if entry.is_dir()] == [
        "transition"
    ]
    assert neighbours(store) == []


def test_an_analysis_that_is_not_there_is_named(undisturbed: Path) -> None:
    with refused(StoreError, undisturbed, "analysis/transition", "'genprior fit'"):
        open_analysis(undisturbed, "transition")


def test_a_store_is_never_made_over_something_else(store: Path, kind: Scripted) -> None:
    store.mkdir()
    (store / "thesis.tex").write_text("mine")
    with refused(WrongStoreError, store):
        made(tiny_sweep(), store, kind)
    assert list(files(store)) == ["thesis.tex"]


def test_opening_results_reads_no_result(undisturbed: Path, store: Path) -> None:
    """A store may be larger than memory; only coordinates are read at once.

    One with a damaged result can be opened, and one with a damaged coordinate cannot.
    """
    shutil.copytree(undisturbed, store)
    (store / "latent_error/c/0/0/0").write_bytes(b"junk")
    dataset = open_results(store)
    assert dataset["success"].load().size == 48
    with pytest.raises(ValueError, match="checksum"):
        dataset["latent_error"].load()
    (store / "k/c/0").write_bytes(b"junk")
    with pytest.raises((ValueError, StoreError)):
        open_results(store)
