"""What decides the bits of a trial besides its inputs, as the process that runs it has it."""

import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any, TypeAlias

import numpy as np

from ..sweeps import Grid
from .conditions import CONDITIONS
from .experiment import Experiment
from .experiments import EXPERIMENTS, KINDS
from .generators import GENERATORS
from .machine import machine_kind
from .problems import PROBLEMS
from .registry import REGISTRIES, Registered, Registry, unpack
from .solvers import SOLVERS, solver_class

# By the name of the store's attribute: `numpy_version`, for example.
Environment: TypeAlias = Mapping[str, str | int]
NOT_INSTALLED = "not installed"
# NumPy computes powers and logarithms by these: on x86 no others round differently.
X86_LEVELS = ("FMA3", "AVX2", "X86_V3", "AVX512F", "AVX512_SKX", "X86_V4")


@dataclass(frozen=True)
class Needs:
    """What the trials of a sweep are computed with; it travels to the workers.

    Attributes:
        task: name of the task kind.
        version: of a kind that only the caller knows; a worker has its own of all others.
        packages: distributions, besides NumPy and SciPy, that compute.
        classes: experiments, problems, generators and solvers that are not ours: the key of each
            in sweep files, with its name.
        registered: those of them that only the caller's process knows.
    """

    task: str
    version: int
    packages: tuple[str, ...] = ()
    classes: tuple[tuple[str, str], ...] = ()
    registered: tuple[Registered, ...] = ()


def needs_of(kind: Experiment, grid: Grid) -> Needs:
    """List what the trials of a sweep are computed with."""
    solvers = map(solver_class, SOLVERS.named_by(grid))
    packages = sorted({package for solver in solvers for package in solver.packages})
    own = kind.name in KINDS or not EXPERIMENTS.origin(kind.name)
    foreign: dict[Registry[Any], list[str]] = {EXPERIMENTS: [] if own else [kind.name]}
    foreign |= {each: each.foreign(grid) for each in (PROBLEMS, GENERATORS, SOLVERS, CONDITIONS)}
    return Needs(
        kind.name,
        kind.version,
        tuple(packages),
        tuple((registry.what, name) for registry, names in foreign.items() for name in names),
        tuple(each for registry, names in foreign.items() for each in registry.travelling(names)),
    )


def environment(needs: Needs) -> Environment:
    """Describe what this process computes with.

    The kernel's version is this process's own: a task kind that travelled here, pickled, still has
    the version of where it came from.
    """
    return dict(_environment(needs))


@cache
def _environment(needs: Needs) -> Environment:
    unpack(needs.registered)
    kind = KINDS.get(needs.task)
    found: dict[str, str | int] = {
        "kernel_version": needs.version if kind is None else kind.version,
        "machine": machine_kind(),
        "vector_instructions": vector_instructions(),
        "c_library": c_library(),
        "numpy_version": np.__version__,
        "scipy_version": version("scipy"),
        "python_version": major_minor(platform.python_version()),
    }
    for package in needs.packages:
        found[f"{package.replace('-', '_')}_version"] = _version(package)
    for what in dict.fromkeys(what for what, _ in needs.classes):
        origins = (
            f"{name}: {REGISTRIES[what].origin(name) or NOT_INSTALLED}"
            for each, name in needs.classes
            if each == what
        )
        found[f"{what.split('.')[0]}_packages"] = "; ".join(origins)
    return found


def major_minor(written: str) -> str:
    """The first two numbers of a version of Python: others change no result."""
    return ".".join(written.split(".")[:2])


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return NOT_INSTALLED


def vector_instructions() -> str:
    """The processor's instructions that NumPy uses, as far as they may change last bits."""
    shown: Any = np.show_config(mode="dicts")
    known = (shown or {}).get("SIMD Extensions", {})
    used = [*known.get("baseline", ()), *known.get("found", ())]
    levels = [name for name in used if name in X86_LEVELS] or used
    return str(levels[-1]) if levels else "unknown"


def c_library() -> str:
    """The C library, whose logarithms draws use; unknown where there is no such name."""
    try:
        return os.confstr("CS_GNU_LIBC_VERSION") or "unknown"
    except (AttributeError, ValueError, OSError):
        return "unknown"
