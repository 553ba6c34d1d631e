"""Hopeless runs, as both engines abandon them."""

from typing import Any

import numpy as np
import pytest
from fast_runs import (
    METHOD,
    both,
    cocola,
    draw_problem,
    ending,
)

from genprior.tasks.solvers.descent import (
    NO_END,
    Patience,
    Progress,
    SubgradientDescent,
    Verdict,
    descend,
)
from genprior.tasks.solvers.fast import descend_fast


def scripted(losses: list[float], patience: Patience, max_steps: int) -> Progress:
    """Judge a run with given best losses at its steps."""
    progress = Progress(max_steps, patience)
    for steps, loss in enumerate(losses):
        if steps == progress.next_mark and progress.judge(steps, loss, np.array([loss])):
            break
    return progress


def test_a_run_is_hopeless_when_its_best_loss_did_not_fall_by_the_factor() -> None:
    """Windows of 2, factor 2: 8 → 4 → 2 keeps pace, 8 → 4 → 2.1 does not."""
    patience = Patience(2, 2.0)
    assert not scripted([8, 6, 4, 3, 2], patience, 100).hopeless_code
    assert scripted([8, 6, 4, 3, 2.1], patience, 100).hopeless_code == 2.1
    assert not scripted([8, 6, 4, 3, 2.1], NO_END, 100).hopeless_code


@pytest.mark.parametrize("engine", [descend, descend_fast])
@pytest.mark.parametrize("audited", [False, True])
def test_abandoned_runs_stop_at_a_window_and_audited_ones_go_on(engine: Any, audited: bool) -> None:
    problem, start = cocola(3, 80)
    run = engine(problem, METHOD, start, max_steps=1200, patience=Patience(200, 1.5, audited))
    assert run.hopeless_code is not None
    if audited:
        assert (run.steps, run.verdict) == (1200, Verdict.BUDGET_SPENT)
    else:
        assert run.verdict is Verdict.ABANDONED
        assert run.steps in range(200, 1200, 200)


def test_a_run_that_stands_still_is_abandoned_by_a_factor_next_to_one() -> None:
    """The stationary start at 0, with no tolerance to end it."""
    problem = draw_problem(np.random.default_rng(0), 3, [20, 20], 10)
    patience = Patience(50, 1 + 1e-9)
    plain, fast = both(problem, SubgradientDescent(0.7, 0.0), np.zeros(3), 1000, patience)
    assert ending(plain) == ending(fast) == (50, Verdict.ABANDONED, True)
