"""Points and sweeps that a problem cannot have."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from pydantic import ValidationError

from genprior.sweeps import Point, SweepError
from genprior.tasks.instance import draw_instance
from genprior.tasks.problems import (
    check_point,
)

SHAPE = {"k": 2, "depth": 1, "widths": [8]}


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ({"problem": "compressed-sensing"}, "problem 'compressed-sensing' needs 'm', the number"),
        ({"problem": "phase-retrieval", "m": 0}, "problem 'phase-retrieval' needs 'm'"),
        ({"problem": "spiked-wishart"}, "problem 'spiked-wishart' needs 'samples', the number of"),
        ({"problem": "spiked-wishart", "samples": 0}, "needs 'samples'"),
        ({"problem": "one-bit", "dither": {"amplitude": 1}}, "problem 'one-bit' needs 'm'"),
        ({"problem": "one-bit", "m": 5}, "problem 'one-bit' needs 'dither.amplitude', the λ"),
        (
            {"problem": "one-bit", "m": 5, "dither": {"enabled": False}},
            "problem 'one-bit' needs 'dither.amplitude'",
        ),
        (
            {"problem": "one-bit", "m": 5, "dither": {"amplitude": 1, "rule": "log-m"}},
            "'dither.rule' is 'log-m' and 'dither.amplitude' is 1.0; give one.",
        ),
        (
            {"problem": "one-bit", "m": 5, "dither": {"amplitude": 1}, "noise": {"snr_db": 20}},
            "problem 'one-bit' has no 'noise.snr_db'; it has m, ensemble,",
        ),
        (
            {"problem": "spiked-wigner", "noise": {"snr_db": 20}},
            "problem 'spiked-wigner' has no 'noise.snr_db'; it has noise.sigma.",
        ),
        (
            {"problem": "inversion", "noise": {"snr_db": 20}},
            "problem 'inversion' has no 'noise.snr_db'; it has no parameters of its own.",
        ),
        (
            {"problem": "compressed-sensing", "m": 9, "ensemble": "subsampled-dct"},
            "m = 9 exceeds n = 8: 'subsampled-dct' draws its rows without replacement.",
        ),
        ({"problem": "phase-retreival", "m": 5}, "Did you mean 'phase-retrieval'?"),
        ({"problem": "tomography"}, "Known: compressed-sensing, inversion, denoising,"),
    ],
)
def test_a_point_that_its_problem_cannot_have_is_refused(written, expected):
    """Before anything is drawn; `draw_instance` refuses it as well."""
    made = Point.model_validate({**SHAPE, **written})
    for refuse in (check_point, lambda p: draw_instance(p, 0, 0)):
        with pytest.raises((ValueError, SweepError)) as refusal:
            refuse(made)
        assert expected in str(refusal.value)
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
        ({"noise": {"sigma": -0.1}}, "greater than or equal to 0"),
        ({"dither": {"amplitude": 0}}, "greater than 0"),
        ({"dither": {"amplitude": -1}}, "greater than 0"),
        ({"samples": -1}, "greater than or equal to 0"),
        ({"student_df": 2}, "greater than 2"),
        ({"target_norm": 0}, "greater than or equal to"),
        ({"noise": {"sigma": 0.1, "snr_db": 20}}, "give one"),
        ({"target_codes": "1 0 0; 0 1 0"}, "target_codes have 3 coordinates and k is 2"),
        ({"target_codes": "1 0; 1"}, "must be codes of the same length"),
        ({"target_codes": "1 x"}, "must be codes as in '1 0; 1 0.5'"),
        ({"target_codes": "1 inf"}, "must be finite numbers"),
        ({"target_codes": "1 0; 0 1", "target": 2}, "target is 2 and target_codes list 2"),
        ({"success": {"metric": "nearest_target"}}, "needs two target_codes or more"),
        (
            {"success": {"metric": "nearest_target"}, "target_codes": "1 0"},
            "needs two target_codes or more",
        ),
    ],
)
def test_values_that_no_problem_could_have_make_no_point(written, expected):
    with pytest.raises(ValidationError, match=expected):
        Point.model_validate({**SHAPE, "m": 5, **written})


@pytest.fixture
def sweep_file(tmp_path: Path) -> Path:
    path = tmp_path / "problems.toml"
    path.write_text("trials = 2\naxes.k = [1, 2]\nparameters = {depth = 1, widths = [8]}\n")
    return path


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ("problem=one-bit m=5 noise.sigma=-1", "'noise.sigma': Input should be greater"),
        ("problem=one-bit m=5 dither.amplitude=0", "'dither.amplitude': Input should be greater"),
        ("problem=one-bit m=5", "problem 'one-bit' needs 'dither.amplitude', the λ"),
        ("problem=one-bit m=5 dither.enabled=false", "needs 'dither.amplitude'"),
        ("problem=one-bit m=5 dither.amplitude=1 dither.rule=log-m", "give one"),
        ("problem=one-bit m=5 dither.amplitude=1 noise.snr_db=20", "'noise.snr_db' is given"),
        ("problem=spiked-wigner noise.snr_db=20", "'noise.snr_db' is given"),
        ("problem=spiked-wigner,denoising noise.snr_db=20", "problem=spiked-wigner: problem"),
        ("problem=spiked-wishart", "problem 'spiked-wishart' needs 'samples'"),
        ("problem=spiked-wishart samples=0", "'samples': Input should be greater than or equal"),
        ("problem=compressed-sensing", "problem 'compressed-sensing' needs 'm'"),
        ("problem=compressed-sensing,inversion", "problem 'compressed-sensing' needs 'm'"),
        ("m=5:9:1 ensemble=subsampled-dct", "m=9: m = 9 exceeds n = 8"),
        ("m=5 samples=3", "'samples' is given, but problem 'compressed-sensing' has ensemble, m"),
        ("problem=inversion m=5", "'m' is given, but problem 'inversion' has no parameters"),
        ("problem=inversion,denoising m=5", "'m' is given, but problem 'denoising' or 'inversion'"),
        ("problem=inversion noise.sigma=0.1", "'noise.sigma' is given, but problem 'inversion'"),
        ("m=5 dither.amplitude=1", "'dither.amplitude' is given"),
        ("problem=onebit m=5", "problem: there is none named 'onebit'. Did you mean 'one-bit'?"),
        ("m=5 ensemble=student-t student_df=2", "'student_df': Input should be greater than 2"),
        ("m=5 ensemble=cauchy", "'ensemble': Input should be 'gaussian', 'rademacher'"),
        ("m=5 target_codes=1;2 target=0:1:1", "target_codes have 1 coordinates and k is 2"),
        ("m=5 k=1 target_codes=1;2 target=0:2:1", "target is 2 and target_codes list 2"),
        ("m=5 success.metric=nearest_target", "'nearest_target' needs two target_codes or more"),
        ("m=5 noise.snr_db=20 noise.law=laplace", "'noise.law' is 'laplace', but noise of a given"),
    ],
)
def test_a_sweep_that_its_problem_cannot_have_is_refused(
    genprior: Callable[..., Result], sweep_file: Path, settings: str, expected: str
) -> None:
    result = genprior("plan", sweep_file, *(p for s in settings.split() for p in ("--set", s)))
    lines = result.stderr.splitlines()
    assert (result.exit_code, len(lines)) == (2, 1), result.output
    assert lines[0].startswith("genprior: ")
    assert expected in lines[0]


def test_a_sweep_over_problems_may_have_what_only_some_of_them_need(
    genprior: Callable[..., Result], sweep_file: Path
) -> None:
    settings = ["problem=inversion,denoising,compressed-sensing", "m=5", "noise.sigma=0.1"]
    result = genprior("plan", sweep_file, *(p for s in settings for p in ("--set", s)))
    assert result.exit_code == 0, result.output
