"""The fast engine: the iterates of the plain one, several times cheaper.

Four regimes take turns, chosen by counted events and never by the clock, so that a run is the same
wherever it runs. docs/fast-descent.md derives why all of them give the plain iterates.
"""

import numpy as np

from .descent import Descent, Patience, Progress, SubgradientDescent
from .network import Vector
from .problems import CompressedSensing
from .regimes import Direct, Quiet, Regime
from .run import Run


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
        run = Run(problem, method, code, max_steps, Progress(max_steps, patience))
        regime: Regime = Direct(run, Quiet(code.size), np.inf)
        while (verdict := run.verdict()) is None:
            regime = regime.step()
        return run.ended(verdict)
