"""A digest of the code of a class: it changes if the results of the class may change."""

import hashlib
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from functools import cached_property, partial
from pathlib import Path
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np
from pydantic import BaseModel

LENGTH = 12  # hexadecimal digits of a digest
IGNORED = {"_abc_impl"}  # the registry of an abstract class
METHODS = (FunctionType, classmethod, staticmethod, property)
SIMPLE = (bool, int, float, complex, str, bytes, type(None), type(Ellipsis))


def class_digest(found: type) -> str:
    """Digest a class: its methods, attributes and parameters, and all that these refer to.

    A function counts with its byte code, constants, defaults, closures and globals; its name,
    comments and docstring do not count. Base classes, helper functions and constants of modules
    count too. An object of Python, genprior or an installed package counts only with its name.

    Returns:
        The first 12 hexadecimal digits of a SHA-256. They differ between versions of Python, whose
        byte code differs.
    """
    digest = hashlib.sha256()
    for part in _Walk().parts(found):
        digest.update(part.encode("utf-8", "backslashreplace") + b"\0")
    return digest.hexdigest()[:LENGTH]


class _Walk:
    """A walk through everything that a class refers to; each object is described once."""

    def __init__(self) -> None:
        # Objects are kept, so that no later object gets the `id` of one that was seen.
        self._seen: dict[int, tuple[int, Any]] = {}

    def parts(self, value: Any) -> Iterator[str]:
        """Describe a value in texts that do not depend on the process or the time."""
        if isinstance(value, SIMPLE):
            yield f"{type(value).__name__} {value!r}"
            return
        if id(value) in self._seen:
            yield f"seen {self._seen[id(value)][0]}"
            return
        self._seen[id(value)] = len(self._seen), value
        yield type(value).__name__
        if isinstance(value, ModuleType):
            yield value.__name__
        elif isinstance(value, type):
            yield from self._of_class(value)
        elif isinstance(value, FunctionType):
            yield from self._of_function(value)
        elif isinstance(value, CodeType):
            yield from self._of_code(value, None)
        else:
            yield from self._of_object(value)

    def _of_class(self, found: type) -> Iterator[str]:
        if not _is_own(found.__module__):
            yield f"{found.__module__}.{found.__qualname__}"
            return
        for base in found.__bases__:
            yield from self.parts(base)
        is_model = issubclass(found, BaseModel)
        for name in sorted(set(vars(found)) - IGNORED):
            member = vars(found)[name]
            if name.startswith("__") and not isinstance(member, METHODS):
                continue  # Python's description of a class; part of it is made at the first use
            if is_model and not isinstance(member, FunctionType | classmethod | staticmethod):
                continue  # attributes of pydantic; the fields follow
            yield name
            yield from self.parts(member)
        if is_model:
            for name, field in found.model_fields.items():  # type: ignore[attr-defined]
                yield f"{name} {field.annotation!r} {field.metadata!r} {field.json_schema_extra!r}"
                yield from self.parts(field.default)

    def _of_function(self, function: FunctionType) -> Iterator[str]:
        if not _is_own(function.__module__):
            yield f"{function.__module__}.{function.__qualname__}"
            return
        yield from self._of_code(function.__code__, function.__doc__)
        yield from self.parts(function.__defaults__)
        yield from self.parts(function.__kwdefaults__)
        for cell in function.__closure__ or ():
            try:
                yield from self.parts(cell.cell_contents)
            except ValueError:
                yield "an empty cell"
        for name in sorted(_names(function.__code__) & set(function.__globals__)):
            yield name
            yield from self.parts(function.__globals__[name])

    def _of_code(self, code: CodeType, docstring: str | None) -> Iterator[str]:
        yield f"{code.co_code.hex()} {code.co_names} {code.co_argcount} {code.co_flags}"
        for constant in code.co_consts:
            if docstring is None or constant != docstring:
                yield from self.parts(constant)

    def _of_object(self, value: Any) -> Iterator[str]:
        if isinstance(value, tuple | list):
            for item in value:
                yield from self.parts(item)
        elif isinstance(value, set | frozenset):
            yield from sorted(" ".join(_Walk().parts(item)) for item in value)
        elif isinstance(value, Mapping):
            for key, item in value.items():
                yield from self.parts(key)
                yield from self.parts(item)
        elif isinstance(value, np.ndarray):
            yield f"{value.dtype} {value.shape} {hashlib.sha256(value.tobytes()).hexdigest()}"
        elif isinstance(value, classmethod | staticmethod | MethodType):
            yield from self.parts(value.__func__)
        elif isinstance(value, property):
            yield from self.parts((value.fget, value.fset))
        elif isinstance(value, cached_property):
            yield from self.parts(value.func)
        elif isinstance(value, partial):
            yield from self.parts((value.func, value.args, value.keywords))
        else:
            name = getattr(value, "__qualname__", None) or getattr(value, "__name__", "")
            yield f"{getattr(value, '__module__', '')} {name}"
            yield from self.parts(type(value))
            if _is_own(type(value).__module__):
                yield from self.parts(getattr(value, "__dict__", None))


def _names(code: CodeType) -> set[str]:
    """List the names that a function and the functions inside it look up."""
    inner = (constant for constant in code.co_consts if isinstance(constant, CodeType))
    return set(code.co_names).union(*map(_names, inner))


def _is_own(module: str) -> bool:
    """Say whether a module is the user's own: not Python, genprior or an installed package."""
    if module == "genprior" or module.startswith("genprior."):
        return False
    if module == "__main__":
        return True
    found = sys.modules.get(module)
    if found is None:
        return True  # the class was pickled by value in a process that has the module
    file = getattr(found, "__file__", None)
    if file is None:
        return False
    return not any(Path(file).is_relative_to(folder) for folder in _installed())


def _installed() -> set[str]:
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    return {sysconfig.get_path(name) for name in names}
