"""The point of a sweep: all parameters, each declared in the module that uses it."""

from typing import Self

from pydantic import model_validator

from ..sweeps.parameters import tell_points
from .ensembles import EnsembleParameters
from .experiments.condition import ConditionParameters
from .experiments.landscape import PlaneParameters
from .experiments.recovery import SuccessParameters
from .experiments.successive_decoding import CodeParameters
from .generators.parameters import NetworkParameters
from .generators.shapes import check_shapes
from .problems.one_bit import DitherParameters
from .problems.parameters import (
    MeasurementParameters,
    NoiseParameters,
    ProblemParameters,
    TargetParameters,
)
from .registry import declare_tables
from .solvers import SolverParameters


# The order of the parameters starts with the last base class.
class Point(
    CodeParameters,
    ConditionParameters,
    PlaneParameters,
    SuccessParameters,
    SolverParameters,
    DitherParameters,
    NoiseParameters,
    EnsembleParameters,
    MeasurementParameters,
    TargetParameters,
    NetworkParameters,
    ProblemParameters,
):
    """All parameters of a trial, checked."""

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        check_shapes(self.k, self.depth, self.widths)
        codes = self.codes
        if codes and len(codes[0]) != self.k:
            raise ValueError(
                f"target_codes have {len(codes[0])} coordinates and k is {self.k}; "
                "give k coordinates."
            )
        if codes and self.target >= len(codes):
            raise ValueError(
                f"target is {self.target} and target_codes list {len(codes)}, counted from 0."
            )
        if self.success.metric == "nearest_target" and len(codes) < 2:
            raise ValueError("success.metric 'nearest_target' needs two target_codes or more.")
        return self

    @property
    def relu_layers(self) -> int:
        """Number of layers with a ReLU."""
        return self.depth - (self.last_layer == "linear")


tell_points(Point)
declare_tables()
