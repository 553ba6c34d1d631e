"""The Lasso, a baseline without a generator: sparse signals by a convex program."""

import warnings
from typing import Any, NamedTuple

import numpy as np

from ..sweeps import Grid, Point, UserError
from .network import Vector
from .sensing import Sensing

# Of the shortest subgradient, relative to λ.
TOLERANCE = 1e-6


class LassoFit(NamedTuple):
    """What a Lasso ended with.

    Attributes:
        signal: ŷ, shape (n,).
        loss: ½‖A ŷ − b‖², signal units squared, without the penalty.
        violation: norm of the shortest subgradient of the penalised loss, signal units.
        steps: times that an entry joined or left the support.
        converged: whether the subgradient vanishes, but for rounding.
    """

    signal: Vector
    loss: float
    violation: float
    steps: int
    converged: bool


def check_lasso(point: Point) -> None:
    """Refuse the Lasso where there is no A y ≈ b to solve, or no signal to judge it by.

    Raises:
        ValueError: saying what is wrong, in one line.
    """
    if point.solver.method != "lasso":
        return
    if point.problem != "compressed-sensing":
        raise ValueError(
            f"'solver.method' is 'lasso', which solves problem 'compressed-sensing', not "
            f"'{point.problem}'."
        )
    if point.success.metric != "signal_error":
        raise ValueError(
            "'solver.method' is 'lasso', which finds a signal and no code; give success.metric "
            "'signal_error'."
        )


def check_installed(grid: Grid) -> None:
    """Refuse to run a sweep with the Lasso where scikit-learn is missing; planning needs none.

    Raises:
        UserError: saying how to install it.
    """
    column = grid.column("solver.method")
    if column is not None and "lasso" in column.values.ravel():
        _estimator()


def _estimator() -> Any:
    """Find scikit-learn's Lasso by least angles, imported only where it runs.

    Raises:
        UserError: it is not installed.
    """
    try:
        from sklearn.linear_model import LassoLars
    except ImportError:
        raise UserError(
            "solver.method 'lasso' needs scikit-learn, which is not installed: "
            "pip install 'genprior[baselines]'."
        ) from None
    return LassoLars


def solve_lasso(
    sensing: Sensing, observed: Vector, n: int, penalty: float, max_steps: int
) -> LassoFit:
    """Minimise ½‖A y − b‖² + λ‖y‖₁, λ = penalty · max|Aᵀb|, by following it from 0.

    From λ = max|Aᵀb| on, y = 0 is the minimiser, and below it is piecewise linear in λ: least
    angle regression goes from kink to kink and is exact to rounding. Coordinate descent would need
    thousands of rounds at a small λ, which is right without noise: the error is then about λ √s.

    Args:
        sensing: A; a transform is written out as a matrix.
        observed: b, shape (m,), in signal units.
        n: signal dimension.
        penalty: λ relative to max|Aᵀb|.
        max_steps: kinks, at most.

    Raises:
        UserError: scikit-learn is not installed.

    Source: Efron, Hastie, Johnstone & Tibshirani, Ann. Stat. 32 (2004) 407; scikit-learn.
    """
    matrix = np.asfortranarray(sensing.columns(np.arange(n)))
    weight = penalty * float(np.abs(matrix.T @ observed).max())
    if weight == 0:
        return LassoFit(np.zeros(n), 0.5 * float(observed @ observed), 0.0, 0, True)
    # Scikit-learn has the mean of squares where we have their sum.
    estimator = _estimator()(alpha=weight / observed.size, fit_intercept=False, max_iter=max_steps)
    with warnings.catch_warnings():
        # Not to have converged is a verdict here.
        warnings.simplefilter("ignore")
        estimator.fit(matrix, observed)
    signal = np.asarray(estimator.coef_, dtype=float)
    residual = matrix @ signal - observed
    violation = float(np.linalg.norm(shortest_subgradient(signal, matrix.T @ residual, weight)))
    return LassoFit(
        signal,
        0.5 * float(residual @ residual),
        violation,
        int(estimator.n_iter_),
        violation < TOLERANCE * weight,
    )


def shortest_subgradient(signal: Vector, gradient: Vector, weight: float) -> Vector:
    """The shortest subgradient of the penalised loss, 0 exactly at a minimiser.

    Args:
        signal: y, shape (n,).
        gradient: g = Aᵀ(A y − b), shape (n,).
        weight: λ.

    Returns:
        g_i + λ sign y_i where y_i is not 0; else what of g_i is beyond [−λ, λ].
    """
    beyond = np.sign(gradient) * np.maximum(np.abs(gradient) - weight, 0.0)
    return np.where(signal != 0, gradient + weight * np.sign(signal), beyond)
