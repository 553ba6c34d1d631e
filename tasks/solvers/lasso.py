"""The Lasso, a baseline without a generator: it recovers sparse signals by a convex program."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np

from ...sweeps import UserError
from ...sweeps.parameter import setting
from ..numerics.network import Vector
from ..numerics.operators import Sensing
from ..numerics.shared_context import shared
from ..problems import PROBLEMS, problem_class
from ..problems.base import Streams
from .base import MethodTable, Solution, Solver
from .descent import Verdict

if TYPE_CHECKING:
    from ..instance import Instance
    from ..point import Point

# Norm of the shortest subgradient, relative to λ, below which a fit has converged.
TOLERANCE = 1e-6
# Relative duality gaps that end the fits at all penalties but the last, and at the last one.
FIRST_GAPS, LAST_GAP = 1e-5, 1e-15
PENALTIES = 40


class LassoTable(MethodTable):
    """How far the Lasso goes."""

    penalty: float = setting(
        1e-4, "weight of the Lasso's ‖y‖₁, relative to the least that gives 0, max|Aᵀb|", gt=0, lt=1
    )
    max_rounds: int = setting(
        100_000,
        "round budget of the Lasso over all coordinates, at each of its 40 penalties",
        "rounds",
        ge=1,
        le=1_000_000_000,
    )


MAX_ROUNDS = LassoTable.model_fields["max_rounds"].default


class LassoFit(NamedTuple):
    """The result of a Lasso.

    Attributes:
        signal: ŷ, shape (n,).
        loss: ½‖A ŷ − b‖², signal units squared, without the penalty.
        violation: norm of the shortest subgradient of the penalised loss, signal units.
        steps: rounds over all coordinates, at all penalties together.
        converged: whether the subgradient is 0, up to rounding.
    """

    signal: Vector
    loss: float
    violation: float
    steps: int
    converged: bool


class Lasso(Solver):
    """Scikit-learn's Lasso on the signal; it has no codes, so their errors are infinite."""

    name: ClassVar[str] = "lasso"
    uses: ClassVar[tuple[str, ...]] = LassoTable.own()
    packages: ClassVar[tuple[str, ...]] = ("scikit-learn",)

    @classmethod
    def check(cls, point: Point) -> None:
        """Refuse a problem without linear measurements, and success judged by codes."""
        if not problem_class(point.problem).measures_linearly:
            solved = [repr(known.name) for known in PROBLEMS.known() if known.measures_linearly]
            raise ValueError(
                f"'solver.method' is 'lasso', which solves problem {' or '.join(solved)}, not "
                f"'{point.problem}'."
            )
        if point.success.metric != "signal_error":
            raise ValueError(
                "'solver.method' is 'lasso', which finds a signal and no code; give "
                "success.metric 'signal_error'."
            )

    @classmethod
    def check_installed(cls) -> None:
        """Refuse to run without scikit-learn."""
        _lasso_path()

    @classmethod
    def solve(cls, point: Point, instance: Instance, streams: Streams) -> Solution:
        """Solve A y ≈ b, without the generator."""
        form = instance.objective.problem.quadratic()
        if form is None:
            raise ValueError(
                f"problem '{point.problem}' has no A y ≈ b that the Lasso could solve."
            )
        solver = point.solver
        fit = solve_lasso(form.sensing, form.observed, point.n, solver.penalty, solver.max_rounds)
        verdict = Verdict.CONVERGED if fit.converged else Verdict.BUDGET_SPENT
        if not np.isfinite(fit.loss):
            verdict = Verdict.DIVERGED
        return Solution(None, fit.signal, fit.loss, fit.violation, fit.steps, verdict)

    @classmethod
    def entries(cls, point: Point) -> int:
        """Count A as a matrix, and a copy in Fortran order."""
        return 3 * int(PROBLEMS.ask_number(point.problem, "residuals", point)) * point.n


def _lasso_path() -> Any:
    """Import scikit-learn's `lasso_path`; only where it runs, as the import is slow.

    Raises:
        UserError: it is not installed.
    """
    try:
        from sklearn import linear_model
    except ImportError:
        raise UserError(
            "solver.method 'lasso' needs scikit-learn, which is not installed: "
            "pip install 'genprior[baselines]'."
        ) from None
    return linear_model.lasso_path


def solve_lasso(
    sensing: Sensing, observed: Vector, n: int, penalty: float, max_rounds: int = MAX_ROUNDS
) -> LassoFit:
    """Minimise ½‖A y − b‖² + λ‖y‖₁, λ = penalty · max|Aᵀb|, by scikit-learn's coordinate descent.

    The penalty falls in 40 steps from max|Aᵀb|, where y = 0 is the minimiser, to λ; each fit starts
    from the last one. A cold start would take many thousands of rounds at a small λ, which is
    right without noise, as the error is then about λ √s. Least angle regression is faster, but
    stops early where columns tie, as columns of signs do.

    Args:
        sensing: A; a transform is computed as a matrix.
        observed: b, shape (m,), in signal units.
        n: signal dimension.
        penalty: λ relative to max|Aᵀb|.
        max_rounds: budget of rounds over all coordinates, at each penalty.

    Raises:
        UserError: scikit-learn is not installed.

    Source: Friedman, Hastie & Tibshirani, J. Stat. Softw. 33 (2010) 1; scikit-learn.
    """
    matrix = np.asfortranarray(sensing.columns(np.arange(n)))
    with np.errstate(over="ignore", invalid="ignore"):
        largest = float(np.abs(matrix.T @ observed).max())
        square = 0.5 * float(observed @ observed)
    if not 0 < square < np.inf:
        return LassoFit(np.zeros(n), square, 0.0, 0, square == 0)
    # Scikit-learn minimises the mean of squares, and we minimise their sum.
    alphas = np.geomspace(largest, penalty * largest, PENALTIES) / observed.size
    path = partial(_lasso_path(), matrix, observed, precompute=False, max_iter=max_rounds)
    with _no_convergence_warnings():
        _, signals, _, first = path(alphas=alphas[:-1], tol=FIRST_GAPS, return_n_iter=True)
        _, signals, _, last = path(
            alphas=alphas[-1:], tol=LAST_GAP, coef_init=signals[:, -1], return_n_iter=True
        )
    signal, weight = signals[:, -1], penalty * largest
    residual = matrix @ signal - observed
    violation = float(np.linalg.norm(shortest_subgradient(signal, matrix.T @ residual, weight)))
    return LassoFit(
        signal,
        0.5 * float(residual @ residual),
        violation,
        sum(first) + sum(last),
        violation < TOLERANCE * weight,
    )


@shared
@contextmanager
def _no_convergence_warnings() -> Iterator[None]:
    """Drop the warnings of fits that have not converged, which is a verdict here.

    Threads share it: the filters of warnings are those of the whole process.
    """
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield


def shortest_subgradient(signal: Vector, gradient: Vector, weight: float) -> Vector:
    """Compute the shortest subgradient of the penalised loss, 0 exactly at a minimiser.

    Args:
        signal: y, shape (n,).
        gradient: g = Aᵀ(A y − b), shape (n,).
        weight: λ.

    Returns:
        g_i + λ sign y_i where y_i is not 0; else the part of g_i outside [−λ, λ]. Shape (n,).
    """
    beyond = np.sign(gradient) * np.maximum(np.abs(gradient) - weight, 0.0)
    return np.where(signal != 0, gradient + weight * np.sign(signal), beyond)
