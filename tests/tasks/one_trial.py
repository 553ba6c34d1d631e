"""One trial of each experiment, by the point, the trial index and the root seed."""

from functools import partial

from genprior.sweeps import Point, draws_of
from genprior.tasks.experiment import run_trial
from genprior.tasks.experiments.condition import ConditionBound
from genprior.tasks.experiments.landscape import Landscape, LandscapeTask, draw_plane
from genprior.tasks.experiments.recovery import Recovery
from genprior.tasks.experiments.successive_decoding import SuccessiveDecoding
from genprior.tasks.problems import check_point

recover = partial(run_trial, Recovery())
look = partial(run_trial, LandscapeTask())
bound_constant = partial(run_trial, ConditionBound())
transmit = partial(run_trial, SuccessiveDecoding())


def draw_landscape(point: Point, trial: int, seed: int) -> Landscape:
    """Draw a problem and a plane of its codes."""
    check_point(point)
    return draw_plane(point, draws_of(point, trial, seed))
