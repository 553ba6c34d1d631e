"""The benchmark of the pipeline, on the smallest sweeps: its figures are of real runs."""

import json

import pytest
from click.testing import CliRunner

from genprior.pipeline.cli import bench_pipeline, main


@pytest.mark.slow
@pytest.mark.cluster
def test_the_pipeline_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_pipeline, "FIRST_RESULTS", 1)
    monkeypatch.setattr(bench_pipeline, "LARGE_BLOCKS", 2)
    monkeypatch.setattr(bench_pipeline, "SMALL_BLOCKS", 100)
    monkeypatch.setattr(bench_pipeline, "MANY_BLOCKS", 100)
    monkeypatch.setattr(bench_pipeline, "POINTS", ("depth=2", "k=5", "widths=[20, 30]"))
    command = ["bench", "pipeline", "--minutes", "0.05", "--trials", "10000", "--json"]
    answer = CliRunner().invoke(main, command, catch_exceptions=False)
    found = json.loads(answer.stdout)
    assert found["first result"][0]["seconds"] > 0
    one, two = found["overhead and scaling"]
    assert (one["workers"], two["workers"], one["scaling"]) == (1, 2, 1.0)
    assert min(one["overhead"], two["overhead"]) > 1
    many, few = found["per trial and per block"]
    assert (many["trials"], few["trials"], few["blocks"]) == (20_000, 100, 100)
    assert [row["trials"] for row in found["files"]] == [1_000, 10_000, 100_000, 1_000_000]
    large, many = found["scale"]
    assert (large["trials"], many["trials"], many["blocks"]) == (10_000, 100, 100)
    assert min(large["scheduler_peak_MB"], large["client_peak_MB"]) > 10
