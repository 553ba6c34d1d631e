"""Points and sweeps that a problem cannot have."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from helpers import assert_names
from pydantic import ValidationError

from genprior.sweeps import Point, SweepError
from genprior.tasks.instance import draw_instance
from genprior.tasks.problems import PROBLEMS, check_point

SHAPE = {"k": 2, "depth": 1, "widths": [8]}


@pytest.mark.parametrize(
    ("written", "named"),
    [
        ({"problem": "compressed-sensing"}, ["'compressed-sensing'", "'m'"]),
        ({"problem": "phase-retrieval", "m": 0}, ["'phase-retrieval'", "'m'"]),
        ({"problem": "spiked-wishart"}, ["'spiked-wishart'", "'samples'"]),
        ({"problem": "spiked-wishart", "samples": 0}, ["'samples'"]),
        ({"problem": "one-bit", "dither": {"amplitude": 1}}, ["'one-bit'", "'m'"]),
        ({"problem": "one-bit", "m": 5}, ["'one-bit'", "'dither.amplitude'"]),
        (
            {"problem": "one-bit", "m": 5, "dither": {"enabled": False}},
            ["'one-bit'", "'dither.amplitude'"],
        ),
        (
            {"problem": "one-bit", "m": 5, "dither": {"amplitude": 1, "rule": "log-m"}},
            ["'dither.rule'", "'log-m'", "'dither.amplitude'", "1.0"],
        ),
        (
            {"problem": "one-bit", "m": 5, "dither": {"amplitude": 1}, "noise": {"snr_db": 20}},
            ["'one-bit'", "'noise.snr_db'"],
        ),
        (
            {"problem": "spiked-wigner", "noise": {"snr_db": 20}},
            ["'spiked-wigner'", "'noise.snr_db'", "noise.sigma"],
        ),
        (
            {"problem": "inversion", "noise": {"snr_db": 20}},
            ["'inversion'", "'noise.snr_db'"],
        ),
        (
            {"problem": "compressed-sensing", "m": 9, "ensemble": "subsampled-dct"},
            ["m = 9", "n = 8", "'subsampled-dct'"],
        ),
        ({"problem": "phase-retreival", "m": 5}, ["'phase-retrieval'"]),
        ({"problem": "tomography"}, ["'tomography'", *PROBLEMS.built_in]),
    ],
)
def test_a_point_that_its_problem_cannot_have_is_refused(written, named):
    """Before anything is drawn; `draw_instance` refuses it as well."""
    made = Point.model_validate({**SHAPE, **written})
    for refuse in (check_point, lambda p: draw_instance(p, 0, 0)):
        with pytest.raises((ValueError, SweepError)) as refusal:
            refuse(made)
        assert_names(refusal.value, *named)
        assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    "written",
    [
        {"problem": "one-bit", "m": 5, "dither": {"rule": "log-m"}},
        {"problem": "one-bit", "m": 5, "dither": {"enabled": False, "amplitude": 1}},
        {"problem": "compressed-sensing", "m": 8, "ensemble": "subsampled-dct"},
        {"problem": "compressed-sensing", "m": 9},
        {"problem": "inversion"},
    ],
)
def test_a_point_that_has_what_it_needs_is_not_refused(written):
    check_point(Point.model_validate({**SHAPE, **written}))


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ({"noise": {"sigma": -0.1}}, "noise.sigma greater_than_equal"),
        ({"dither": {"amplitude": 0}}, "dither.amplitude greater_than"),
        ({"dither": {"amplitude": -1}}, "dither.amplitude greater_than"),
        ({"samples": -1}, "samples greater_than_equal"),
        ({"student_df": 2}, "student_df greater_than"),
        ({"target_norm": 0}, "target_norm greater_than_equal"),
        ({"noise": {"sigma": 0.1, "snr_db": 20}}, "noise value_error"),
        ({"target_codes": "1 0 0; 0 1 0"}, " value_error"),
        ({"target_codes": "1 0; 1"}, "target_codes value_error"),
        ({"target_codes": "1 x"}, "target_codes value_error"),
        ({"target_codes": "1 inf"}, "target_codes value_error"),
        ({"target_codes": "1 0; 0 1", "target": 2}, " value_error"),
        ({"success": {"metric": "nearest_target"}}, " value_error"),
        ({"success": {"metric": "nearest_target"}, "target_codes": "1 0"}, " value_error"),
    ],
)
def test_values_that_no_problem_could_have_make_no_point(written, expected):
    """The parameter that is wrong, none where several do not fit together, and the kind of error.

    The other values of these points are right.
    """
    with pytest.raises(ValidationError) as refusal:
        Point.model_validate({**SHAPE, "m": 5, **written})
    (error,) = refusal.value.errors()
    assert f"{'.'.join(map(str, error['loc']))} {error['type']}" == expected


@pytest.fixture
def sweep_file(tmp_path: Path) -> Path:
    path = tmp_path / "problems.toml"
    path.write_text("trials = 2\naxes.k = [1, 2]\nparameters = {depth = 1, widths = [8]}\n")
    return path


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ("problem=one-bit m=5 noise.sigma=-1", ["'noise.sigma'"]),
        ("problem=one-bit m=5 dither.amplitude=0", ["'dither.amplitude'"]),
        ("problem=one-bit m=5", ["'one-bit'", "'dither.amplitude'"]),
        ("problem=one-bit m=5 dither.enabled=false", ["'dither.amplitude'"]),
        (
            "problem=one-bit m=5 dither.amplitude=1 dither.rule=log-m",
            ["'dither.rule'", "'dither.amplitude'"],
        ),
        ("problem=one-bit m=5 dither.amplitude=1 noise.snr_db=20", ["'noise.snr_db'"]),
        ("problem=spiked-wigner noise.snr_db=20", ["'noise.snr_db'"]),
        ("problem=spiked-wigner,denoising noise.snr_db=20", ["problem=spiked-wigner"]),
        ("problem=spiked-wishart", ["'spiked-wishart'", "'samples'"]),
        ("problem=spiked-wishart samples=0", ["'samples'"]),
        ("problem=compressed-sensing", ["'compressed-sensing'", "'m'"]),
        ("problem=compressed-sensing,inversion", ["'compressed-sensing'", "'m'"]),
        ("m=5:9:1 ensemble=subsampled-dct", ["m=9", "m = 9", "n = 8"]),
        ("m=5 samples=3", ["'samples'", "'compressed-sensing'"]),
        ("problem=inversion m=5", ["'m'", "'inversion'"]),
        ("problem=inversion,denoising m=5", ["'m'", "'denoising'", "'inversion'"]),
        ("problem=inversion noise.sigma=0.1", ["'noise.sigma'", "'inversion'"]),
        ("m=5 dither.amplitude=1", ["'dither.amplitude'"]),
        ("problem=onebit m=5", ["'onebit'", "'one-bit'"]),
        ("m=5 ensemble=student-t student_df=2", ["'student_df'", "2"]),
        ("m=5 ensemble=cauchy", ["'ensemble'", "'gaussian'", "'rademacher'"]),
        ("m=5 target_codes=1;2 target=0:1:1", ["target_codes", "1", "2"]),
        ("m=5 k=1 target_codes=1;2 target=0:2:1", ["2", "target_codes"]),
        ("m=5 success.metric=nearest_target", ["'nearest_target'", "target_codes"]),
        ("m=5 noise.snr_db=20 noise.law=laplace", ["'noise.law'", "'laplace'"]),
    ],
)
def test_a_sweep_that_its_problem_cannot_have_is_refused(
    genprior: Callable[..., Result], sweep_file: Path, settings: str, named: list[str]
) -> None:
    result = genprior("plan", sweep_file, *(p for s in settings.split() for p in ("--set", s)))
    lines = result.stderr.splitlines()
    assert (result.exit_code, len(lines)) == (2, 1), result.output
    assert lines[0].startswith("genprior: ")
    assert_names(lines[0], *named)


def test_a_sweep_over_problems_may_have_what_only_some_of_them_need(
    genprior: Callable[..., Result], sweep_file: Path
) -> None:
    settings = ["problem=inversion,denoising,compressed-sensing", "m=5", "noise.sigma=0.1"]
    result = genprior("plan", sweep_file, *(p for s in settings for p in ("--set", s)))
    assert result.exit_code == 0, result.output
