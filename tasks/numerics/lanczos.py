"""The extreme eigenvalue of a symmetric operator, by Lanczos iteration."""

from collections.abc import Callable
from inspect import signature
from typing import Literal

from .network import Vector


def extreme_eigenvalue(
    product: Callable[[Vector], Vector],
    start: Vector,
    which: Literal["largest", "largest in size"],
    tolerance: float,
) -> float:
    """Compute the largest eigenvalue of M, or the largest in absolute value.

    Args:
        product: v ↦ M v, shapes (n,).
        start: first vector of the iteration, shape (n,); fix it, so that results never differ.
        which: "largest", or "largest in size" for the absolute value.
        tolerance: relative accuracy.

    Raises:
        ArithmeticError: the iteration does not converge.
    """
    # Imported here: it takes a fifth of a second, which a command without eigenvalues saves.
    from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh

    # Later versions of SciPy draw vectors of their own, by default different ones each time.
    fixed = {"rng": 0} if "rng" in signature(eigsh).parameters else {}
    operator = LinearOperator((start.size, start.size), matvec=product, dtype=float)
    kind = "LA" if which == "largest" else "LM"
    try:
        values = eigsh(
            operator, k=1, which=kind, v0=start, tol=tolerance, return_eigenvectors=False, **fixed
        )
    except ArpackNoConvergence as stopped:
        raise ArithmeticError(f"no eigenvalue found: {stopped}") from None
    return float(values[0])
