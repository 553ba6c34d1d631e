"""The Lasso as a baseline: its minimiser, its place in a sweep, and what it needs."""

import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from one_trial import recover

from genprior.pipeline.run.plan import plan_sweep
from genprior.pipeline.run.request import check_request
from genprior.sweeps import Grid, Point, Sweep, UserError
from genprior.tasks import task_kind
from genprior.tasks.instance import draw_instance
from genprior.tasks.numerics.operators import DenseSensing, SubsampledDCT
from genprior.tasks.solvers import check_solver
from genprior.tasks.solvers.descent import Verdict
from genprior.tasks.solvers.lasso import shortest_subgradient, solve_lasso

pytest.importorskip("sklearn")


def point(**changes: Any) -> Point:
    """Two entries of forty, seen through thirty measurements."""
    written = {
        "generator": "sparse",
        "sparsity": 2,
        "n": 40,
        "m": 30,
        "solver": {"method": "lasso"},
        "success": {"metric": "signal_error", "below": 0.01},
    }
    return Point.model_validate({**written, **changes})


def sweep() -> Sweep:
    return Sweep.parse(
        {
            "name": "both",
            "trials": 2,
            "seed": 1,
            "axes": {"solver.method": ["descent", "lasso"], "m": [20, 30]},
            "parameters": {
                "generator": "sparse",
                "sparsity": 1,
                "n": 20,
                "success": {"metric": "signal_error"},
                "solver": {"max_steps": 20},
            },
            "fit": {"along": "m"},
        }
    )


@pytest.mark.parametrize(("m", "penalty"), [(10, 1e-4), (10, 0.3), (30, 1e-4), (60, 0.05)])
def test_the_minimiser_meets_the_conditions_of_optimality(m, penalty):
    """Aᵀ(b − A y) is λ sign y_i where y_i is not 0, within ±λ elsewhere (Karush–Kuhn–Tucker)."""
    random = np.random.default_rng(0)
    matrix = random.standard_normal((m, 40)) / np.sqrt(m)
    observed = random.standard_normal(m)
    fit = solve_lasso(DenseSensing(matrix), observed, 40, penalty)
    weight = penalty * np.abs(matrix.T @ observed).max()
    dual = matrix.T @ (observed - matrix @ fit.signal)
    on = fit.signal != 0
    assert 0 < on.sum() <= m
    assert_allclose(dual[on], weight * np.sign(fit.signal[on]), atol=1e-9 * weight + 1e-13)
    assert (np.abs(dual[~on]) <= weight * (1 + 1e-9) + 1e-13).all()
    assert fit.converged
    assert fit.loss == pytest.approx(0.5 * np.sum((matrix @ fit.signal - observed) ** 2))


def test_the_shortest_subgradient_worked_by_hand():
    """λ = 1: at y > 0, g + 1; at y < 0, g − 1; at 0 what of g is beyond [−1, 1]."""
    found = shortest_subgradient(
        np.array([2.0, -2.0, 0.0, 0.0, 0.0]), np.array([-1.0, 0.5, 0.5, -3.0, 1.5]), 1.0
    )
    assert_array_equal(found, [0, -0.5, 0, -2, 0.5])


def test_one_measurement_of_one_entry_is_shrunk_by_the_penalty():
    """½(y − 2)² + λ|y| is least at 2 − λ; λ = 0.1 · 2."""
    fit = solve_lasso(DenseSensing(np.eye(1)), np.array([2.0]), 1, 0.1)
    assert_allclose(fit.signal, [1.8])


@pytest.mark.parametrize("ensemble", ["gaussian", "rademacher", "subsampled-dct"])
def test_sparse_vectors_are_found_where_theory_says_so(ensemble):
    """2 s log(n/s) + 5s/4 = 14 measurements suffice for s = 2, n = 40 in most draws; 30 are twice.

    The error is about λ √s = 10⁻⁴ √2 · max|Aᵀb|, of signals with norm 1.
    """
    for trial in range(10):
        found = recover(point(ensemble=ensemble), trial, 1)
        assert found["success"]
        assert found["signal_error"] < 1e-3
        assert found["verdict"] == Verdict.CONVERGED


def test_too_few_measurements_leave_it_wrong():
    """Of 3 measurements a vector of 3 entries explains all, and hardly ever the right ones."""
    assert sum(recover(point(m=3), trial, 1)["success"] for trial in range(20)) <= 2


def test_what_it_has_no_code_for_is_infinite():
    found = recover(point(), 0, 1)
    assert found["latent_error"] == found["mirror_error"] == np.inf
    assert (found["negations"], found["abandonment"]) == (0, 0)
    assert 0 <= found["gradient_norm"] < 1e-10


def test_a_spent_budget_is_told():
    """One round at each of 40 penalties, or none, is not enough for two entries."""
    found = recover(point(solver={"method": "lasso", "max_rounds": 1}), 0, 1)
    assert 0 < found["iterations"] <= 40
    assert found["verdict"] == Verdict.BUDGET_SPENT


def test_columns_that_tie_are_solved_too():
    """Of 20 columns of 6 signs, many agree but for their sign."""
    for trial in range(20):
        found = recover(point(m=6, n=20, sparsity=2, ensemble="rademacher"), trial, 1)
        assert found["verdict"] == Verdict.CONVERGED


def test_data_beyond_all_numbers_diverge():
    found = recover(point(noise={"sigma": 1e300}), 0, 1)
    assert found["verdict"] == Verdict.DIVERGED
    assert not any(np.isnan(value) for value in found.values())


def test_both_methods_meet_the_same_draws():
    """The method is a setting of the solver, and none decides draws."""
    one, other = (
        draw_instance(point(solver={"method": method}), 4, 1) for method in ("lasso", "descent")
    )
    assert_array_equal(one.signal, other.signal)
    seen = [made.objective.problem.quadratic() for made in (one, other)]
    assert_array_equal(seen[0].observed, seen[1].observed)
    assert_array_equal(seen[0].sensing.matrix, seen[1].sensing.matrix)


def test_a_transform_is_solved_like_its_matrix():
    random = np.random.default_rng(1)
    fast = SubsampledDCT(random.choice([-1.0, 1.0], 20), np.array([1, 4, 7, 9, 15, 17]), 1.0)
    dense = DenseSensing(fast.columns(np.arange(20)))
    observed = random.standard_normal(6)
    fits = [solve_lasso(sensing, observed, 20, 0.1) for sensing in (fast, dense)]
    assert_allclose(fits[0].signal, fits[1].signal, atol=1e-12)


def test_what_makes_no_sense_is_refused():
    with pytest.raises(ValueError, match="solves problem 'compressed-sensing', not 'denoising'"):
        check_solver(point(problem="denoising", m=0))
    gaussian = {"generator": "gaussian", "sparsity": 0, "k": 2, "depth": 1, "widths": [40]}
    with pytest.raises(ValueError, match="which finds a signal and no code"):
        check_solver(point(**gaussian, success={"metric": "latent_error"}))
    check_solver(point(**gaussian))


def test_without_scikit_learn_a_plan_is_made_and_a_run_is_refused_in_one_line(
    monkeypatch, tmp_path
):
    """Only the run needs the extra, and is told so before anything is made."""
    monkeypatch.setitem(sys.modules, "sklearn", None)
    monkeypatch.setitem(sys.modules, "sklearn.linear_model", None)
    task_kind("recovery").check(Grid(sweep()))
    assert plan_sweep(sweep(), workers=1).points == 4
    with pytest.raises(UserError, match=r"needs scikit-learn.*pip install 'genprior\[baselines\]'"):
        check_request(sweep(), tmp_path / "none.zarr")
    check_request(sweep().override(["solver.method=descent"]), tmp_path / "none.zarr")
    assert not (tmp_path / "none.zarr").exists()


def test_threads_that_solve_at_once_leave_the_filters_of_warnings_as_they_were() -> None:
    """The filters belong to the process: a thread that restored them late would silence users."""
    random = np.random.default_rng(5)
    sensing = DenseSensing(random.standard_normal((20, 40)))
    observed = random.standard_normal(20)
    with ThreadPoolExecutor(4) as threads, warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        before = list(warnings.filters)
        fits = list(threads.map(lambda _: solve_lasso(sensing, observed, 40, 1e-4, 2), range(40)))
        assert list(warnings.filters) == before
    assert not all(fit.converged for fit in fits)
    assert warned == []
