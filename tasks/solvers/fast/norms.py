"""Upper bounds of operator norms, from a few products with the matrix."""

from math import acosh, cosh, inf, sqrt

import numpy as np
from numpy.typing import NDArray

from ...numerics.network import Matrix

Single = NDArray[np.float32]

DEGREE = 20
FAILURE = 1e-10  # probability that a bound does not hold
NARROW = 80  # largest smaller side for which the norm itself is as cheap
MODERATE = 1e-9, 1e9  # norms that single precision can square
SAFE = 1 + 1e-3  # for the rounding of products in single precision


def operator_norm_bound(matrix: Matrix, degree: int = DEGREE) -> float:
    """Bound ‖W‖ from above; the bound fails with a probability of 1e-10.

    With p(λ) = T_q(2λ/c − 1), T_q the Chebyshev polynomial of degree q, and ω standard normal,
    ‖p(WᵀW) ω‖ ≥ |p(‖W‖²)|·|g|, where g is standard normal, and |g| < δ with a probability below
    δ. Where ‖W‖² > c, p(‖W‖²) = cosh(q arccosh(2‖W‖²/c − 1)) grows so fast that this bounds ‖W‖².
    Any c > 0 is correct; the edge of the spectrum of a Gaussian matrix makes its bound tight.

    Args:
        matrix: W, any shape.
        degree: q; the bound is 1.4 times the norm of a large Gaussian matrix at 16, 1.2 times at
            24.

    Returns:
        The bound; infinite if W is not finite.
    """
    rows, columns = matrix.shape
    if min(rows, columns) <= NARROW:
        gram = matrix @ matrix.T if rows < columns else matrix.T @ matrix
        if not np.isfinite(gram).all():
            return inf
        return sqrt(max(float(np.linalg.eigvalsh(gram)[-1]), 0.0)) * SAFE
    frobenius = float(np.linalg.norm(matrix))
    if not 0 < frobenius < inf:
        return 0.0 if frobenius == 0 else inf
    if not MODERATE[0] < frobenius < MODERATE[1]:
        return frobenius * operator_norm_bound(matrix / frobenius, degree)
    # Scaled so that the edge c is 2: p(WᵀW) is then T_q(WᵀW − 1).
    edge = (sqrt(rows) + sqrt(columns)) / sqrt(rows * columns) * frobenius
    single, scale = matrix.astype(np.float32), np.float32(2 / edge**2)
    # A fixed start: the bound must be the same in every run.
    random = np.random.Generator(np.random.SFC64(rows * columns))
    before = random.standard_normal((columns,), dtype=np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        now = _shifted_gram(single, scale, before)
        for _ in range(degree - 1):
            before, now = now, 2 * _shifted_gram(single, scale, now) - before
    seen = float(np.linalg.norm(now)) / FAILURE
    if not seen < inf:
        return frobenius * SAFE
    bound = edge * sqrt((1 + cosh(acosh(max(seen, 1.0)) / degree)) / 2)
    return min(bound, frobenius) * SAFE


def _shifted_gram(matrix: Single, scale: np.float32, vector: Single) -> Single:
    """Compute (scale·WᵀW − 1) v."""
    product: Single = scale * vector.dot(matrix.T).dot(matrix) - vector
    return product
