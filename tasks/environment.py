"""What decides the bits of a trial besides its inputs, as seen by the process that runs it."""

import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any, TypeAlias

import numpy as np

from ..sweeps import Grid
from .experiment import Experiment
from .experiments import EXPERIMENTS, named_classes, others
from .numerics.machine import machine_kind
from .registry import REGISTRIES, Registered, Registry, unpack

# Keys are those of the store's attributes: `numpy_version`, for example.
Environment: TypeAlias = Mapping[str, str | int]
NOT_INSTALLED = "not installed"
# NumPy computes powers and logarithms by these; no others change rounding on x86.
X86_LEVELS = ("FMA3", "AVX2", "X86_V3", "AVX512F", "AVX512_SKX", "X86_V4")


@dataclass(frozen=True)
class Needs:
    """What the trials of a sweep are computed with; it is sent to the workers.

    Attributes:
        task: name of the experiment.
        version: version of an experiment that only the caller knows; for all others a worker uses
            the version of its own code.
        packages: distributions that compute, in addition to NumPy and SciPy.
        classes: experiments, problems, generators, solvers and conditions that are not built in:
            the key of each in sweep files, with its name.
        registered: those of them that only the caller's process knows.
    """

    task: str
    version: int
    packages: tuple[str, ...] = ()
    classes: tuple[tuple[str, str], ...] = ()
    registered: tuple[Registered, ...] = ()


def needs_of(kind: Experiment, grid: Grid) -> Needs:
    """List what the trials of a sweep are computed with."""
    packages = {*kind.packages, *(p for cls in named_classes(grid) for p in cls.packages)}
    own = kind.name in EXPERIMENTS.built_in or not EXPERIMENTS.origin(kind.name)
    foreign: dict[Registry[Any], list[str]] = {EXPERIMENTS: [] if own else [kind.name]}
    foreign |= {registry: registry.foreign(grid) for registry in others()}
    return Needs(
        kind.name,
        kind.version,
        tuple(sorted(packages)),
        tuple((registry.what, name) for registry, names in foreign.items() for name in names),
        tuple(cls for registry, names in foreign.items() for cls in registry.travelling(names)),
    )


def environment(needs: Needs) -> Environment:
    """Describe what this process computes with.

    The kernel's version is that of this process's own class, if it is built in.
    """
    # Not kept: another run may have brought another class of the same name meanwhile.
    unpack(needs.registered)
    return dict(_environment(needs))


@cache
def _environment(needs: Needs) -> Environment:
    kind = EXPERIMENTS.built_in.get(needs.task)
    facts: dict[str, str | int] = {
        "kernel_version": needs.version if kind is None else kind.version,
        "machine": machine_kind(),
        "vector_instructions": vector_instructions(),
        "c_library": c_library(),
        "numpy_version": np.__version__,
        "scipy_version": version("scipy"),
        "python_version": major_minor(platform.python_version()),
    }
    for package in needs.packages:
        facts[f"{package.replace('-', '_')}_version"] = _version(package)
    for what in dict.fromkeys(what for what, _ in needs.classes):
        origins = (
            f"{name}: {REGISTRIES[what].origin(name) or NOT_INSTALLED}"
            for each, name in needs.classes
            if each == what
        )
        facts[f"{what.split('.')[0]}_packages"] = "; ".join(origins)
    return facts


def in_words(key: str) -> str:
    """Name an attribute of an environment for a message."""
    return key.replace("_", " ")


def major_minor(written: str) -> str:
    """Give the first two numbers of a version of Python: the others change no result."""
    return ".".join(written.split(".")[:2])


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return NOT_INSTALLED


def vector_instructions() -> str:
    """Name the processor's instructions that NumPy uses, as far as they may change last bits."""
    shown: Any = np.show_config(mode="dicts")
    known = (shown or {}).get("SIMD Extensions", {})
    used = [*known.get("baseline", ()), *known.get("found", ())]
    levels = [name for name in used if name in X86_LEVELS] or used
    return str(levels[-1]) if levels else "unknown"


def c_library() -> str:
    """Name the C library, whose logarithms draws use; "unknown" where it has no such name."""
    try:
        return os.confstr("CS_GNU_LIBC_VERSION") or "unknown"
    except (AttributeError, ValueError, OSError):
        return "unknown"
