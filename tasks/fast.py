"""The fast engine: the iterates of the plain one, several times cheaper.

Four regimes take turns, chosen by counted events and never by the clock, so that a run is the same
wherever it runs. docs/fast-descent.md derives why all of them give the plain iterates.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from .descent import Descent, Patience, Progress, SubgradientDescent
from .network import Vector
from .policy import Policy
from .problems import CompressedSensing
from .reduced import CAPACITY
from .regimes import Direct, Plain, Regime
from .run import Run


def engine_entries(k: int, widths: Sequence[int], m: int) -> int:
    """How many numbers the engine may hold besides the problem."""
    layers = range(len(widths))
    # Maps and a copy of active columns; columns of candidates and their couplings, twice where one
    # base gives way to the next.
    maps = (k + 16) * (sum(widths) + 3 * m + 2 * k) + max([m * widths[-1], *_products(widths)])
    transfers = sum(widths[i] * min(CAPACITY, widths[j]) for i in layers for j in range(i))
    coupled = len(widths) * CAPACITY * (m + CAPACITY * len(widths) + k)
    return maps + 2 * (transfers + coupled)


def _products(widths: Sequence[int]) -> list[int]:
    return [below * above for below, above in pairwise(widths)]


def descend_fast(
    problem: CompressedSensing,
    method: SubgradientDescent,
    code: Vector,
    *,
    max_steps: int,
    patience: Patience | None = None,
) -> Descent:
    """Run the descent from a code until it converges, diverges or spends its budget.

    Steps, verdict and negations are those of `descend`, and the codes but for rounding.

    Args:
        problem: loss and descent vector.
        method: step and stopping rule.
        code: x_0, shape (k,).
        max_steps: step budget T.
        patience: when to abandon a run before; None: never.

    Returns:
        The last iterate x̃, the number of steps taken to it, and the verdict.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        progress, state = Progress(max_steps, patience), method.start(problem, code)
        run, policy = Run(problem, method, state, max_steps, progress), Policy(problem)
        regime: Regime = Direct(run, policy, None) if policy.reduces else Plain(run, policy)
        while (verdict := run.verdict()) is None:
            regime = regime.step()
        return run.ended(verdict)
