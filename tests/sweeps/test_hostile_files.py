"""Sweep files that somebody made to take memory or time are refused before they are parsed."""

import os
from pathlib import Path

import pytest
from helpers import refused
from memory_use import peak_memory
from sweep_texts import SWEEP

from genprior.sweeps import Grid, Sweep, SweepError, load_sweep
from genprior.sweeps.errors import LONGEST, did_you_mean
from genprior.sweeps.toml import MOST_CHARACTERS, read_toml

HOSTILE = {
    "dotted key": "a." * 200_000 + "b = 1",
    "dotted key with spaces": "a . " * 1_000 + "b = 1",
    "quoted key": "'a'." * 1_000 + "b = 1",
    "dotted key in a table": "x = {" + "a." * 1_000 + "b = 1}",
    "name of a table": "[" + "a." * 1_000 + "b]",
    "nested lists": "x = " + "[" * 100_000,
    "nested tables": "x = " + "{a=" * 100_000,
    "many digits": "trials = " + "9" * 1_000_000,
    "zero byte": "trials = 2\0",
    "long key": "k" * 1_000_000 + " = 1",
    "long text": "fit.along = '" + "k" * 1_000_000 + "'",
    "long range": "[axes]\nk = '" + "1:" * 500_000 + "1'",
    "range of many values": "[axes]\nk = '1:1000000000000:0.000001'",
    "long rule": "exclude = ['" + "k > 1 and " * 50_000 + "k'] ",
    "rule of code": "exclude = ['__import__(\"os\").abort() == 1']",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_sweep_file_is_refused_in_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text + "\n" if "\n" in text else f"{text}\n{SWEEP}", encoding="utf-8")
    with pytest.raises(SweepError) as caught:
        assert Grid(load_sweep(str(path))).excluded.any()
    assert str(caught.value).isprintable()
    assert str(path if "exclude" not in text else "exclude") in str(caught.value)
    assert len(str(caught.value)) <= LONGEST + 3


def test_a_file_of_terabytes_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.touch()
    os.truncate(path, 2**42)

    def load() -> None:
        with refused(SweepError, path, f"{4 * MOST_CHARACTERS:,}"):
            load_sweep(str(path))

    assert peak_memory(load) < 3 * 4 * MOST_CHARACTERS
    with pytest.raises(ValueError, match="characters"):
        read_toml("#" * (MOST_CHARACTERS + 1))


def test_a_pipe_is_no_sweep_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "mine.toml")
    with refused(SweepError, tmp_path / "mine.toml"):
        load_sweep(str(tmp_path / "mine.toml"))


@pytest.mark.parametrize("setting", ["k=" + "[" * 9_999, "k={" + "a." * 999 + "b=1}", "x" * 10**6])
def test_a_hostile_setting_is_refused_in_one_line(setting: str) -> None:
    with pytest.raises(SweepError) as caught:
        load_sweep("quickstart").override([setting])
    assert len(str(caught.value)) <= LONGEST + 3


def test_tables_of_a_program_may_be_nested_as_deeply() -> None:
    nested: object = 1
    for _ in range(5_000):
        nested = [nested]
    for make in (Sweep.parse, lambda tables: Sweep(**tables)):
        with refused(SweepError, "nested too deeply"):
            make({"axes": {"k": nested}})


def test_the_longest_axis_is_still_read_and_long_keys_are() -> None:
    values = ", ".join(f"{number}.123456789" for number in range(100_000))
    assert len(read_toml(f"x = [{values}]")["x"]) == 100_000
    assert read_toml("a.b.c.'d.e'.f = '1.2.3.4'\ny = '" + "a.b/" * 100 + "'")["a"]


def test_a_long_name_is_compared_with_known_ones_by_its_beginning() -> None:
    assert did_you_mean("trials" + "x" * 10**7, ["trials", "seed"]) == "Known: trials, seed."
