"""The fast engine: the iterates of the plain engine, several times cheaper.

It alternates between five regimes. Counted events choose the regime, never the clock, so that a run
is the same on every machine. docs/fast-descent.md derives why all regimes give the plain iterates.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np

from ...numerics.latent_loss import LatentLoss
from ...numerics.network import Vector
from ..descent import NO_END, Descent, Patience, Progress, SubgradientDescent, descend
from .least_squares import LeastSquares, least_squares
from .policy import Policy
from .reduced import CAPACITY
from .regimes import Direct, Plain, Regime
from .run import Run


def engine_entries(k: int, widths: Sequence[int], m: int, has_matrix: bool = True) -> int:
    """Count the numbers that the engine may hold besides the problem, with m residuals.

    Where A is no matrix, its columns are not copied.
    """
    layers = range(len(widths))
    # Maps and a copy of active columns; columns of candidates and their couplings, twice while one
    # base replaces another.
    copied = max([m * widths[-1] if has_matrix else 0, *_products(widths)])
    maps = (k + 16) * (sum(widths) + 3 * m + 2 * k) + copied
    transfers = sum(widths[i] * min(CAPACITY, widths[j]) for i in layers for j in range(i))
    coupled = len(widths) * CAPACITY * (m + CAPACITY * len(widths) + k)
    return maps + 2 * (transfers + coupled)


def _products(widths: Sequence[int]) -> list[int]:
    return [below * above for below, above in pairwise(widths)]


def descend_fast(
    objective: LatentLoss,
    method: SubgradientDescent,
    code: Vector,
    *,
    max_steps: int,
    patience: Patience = NO_END,
    progress: Progress | None = None,
    policy: Callable[[LeastSquares], Policy] = Policy,
) -> Descent:
    """Run the descent as `descend` does, with the same arguments and result.

    Steps, verdict and negations are the same; codes are the same up to rounding. A loss that is no
    sum of squares is left to `descend`. What `descend` has not is `policy`, which chooses the
    regimes; it changes the speed only.
    """
    if (form := least_squares(objective)) is None:
        return descend(
            objective, method, code, max_steps=max_steps, patience=patience, progress=progress
        )
    with np.errstate(over="ignore", invalid="ignore"):
        progress = progress or Progress(max_steps, patience)
        state = method.start(objective, code)
        run = Run(objective, form, method, state, max_steps, progress)
        chosen = policy(form)
        regime: Regime = Direct(run, chosen, None) if chosen.reduces else Plain(run, chosen)
        while (verdict := run.verdict()) is None:
            regime = regime.step()
        return run.ended(verdict)
