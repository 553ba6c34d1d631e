"""Settings KEY=VALUE from the command line: they may set any key of a sweep file."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, get_args, get_origin

from pydantic import BaseModel

from .dependent import Dependent
from .errors import SweepError, did_you_mean, shown
from .fixed import written_out
from .flat import flatten
from .parameters import PARAMETERS, facts
from .told import ask_more
from .values import BRACKETS, check_stop, is_text, key_label, read_value

Tables = dict[str, Any]

DEFAULT = "default"  # as if the file did not give it
ABSENT = object()  # what DEFAULT is read as; a quoted "default" is text
LONGEST = 100  # characters of a setting in a message


def apply_setting(written: Tables, setting: str, model: type[BaseModel]) -> None:
    """Change a sweep, as plain tables, by one setting `KEY=VALUE`.

    KEY is a parameter, an axis, or any key of a sweep file: `trials`, `fit.along`, `exclude`,
    `axes.m`, `dependent.m.times`. VALUE is a range, a list with commas, TOML, or text.

    Args:
        written: the sweep; its tables are changed.
        setting: the setting.
        model: the class of sweeps, which declares the keys.

    Raises:
        SweepError: no key has this name, or the value cannot be read.
    """
    key, text = _split(setting)
    key = "task" if key == "experiment" else key
    inputs = _inputs(written)
    try:
        _apply(written, key, text, model)
    except (ValueError, SweepError) as error:
        raise SweepError(f"--set {in_short(setting)}: {error}") from None
    for axis in inputs - _inputs(written) - set(PARAMETERS):
        # No parameter is left that follows from this axis.
        written["axes"].pop(axis, None)


def settings_list(settings: Any) -> list[str]:
    """Give settings as a list of texts `KEY=VALUE`.

    Args:
        settings: a setting, several of them, or values by key. A text by key is read as on the
            command line; None is the default.

    Raises:
        SweepError: it is something else.
    """
    if isinstance(settings, str):
        return [settings]
    if isinstance(settings, Mapping):
        return [f"{key}={_as_text(value)}" for key, value in settings.items()]
    listed = list(settings) if isinstance(settings, Iterable) else [settings]
    for setting in listed:
        if not isinstance(setting, str) or isinstance(settings, bytes):
            raise SweepError(
                f"settings: {shown(setting)} is no text; give KEY=VALUE, a list of such texts, or "
                "a dictionary of values by key."
            )
    return listed


def _as_text(value: Any) -> str:
    value = written_out(value)
    if value is None:
        return DEFAULT
    return value if isinstance(value, str) else toml_text(value)


def toml_text(value: Any) -> str:
    """Write a plain value as TOML.

    Raises:
        SweepError: a sweep file cannot hold it.
    """
    if isinstance(value, dict):
        inner = (f"{json.dumps(str(key))} = {toml_text(each)}" for key, each in value.items())
        return f"{{{', '.join(inner)}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(toml_text, value))}]"
    if isinstance(value, bool | str):
        return json.dumps(value)
    if isinstance(value, int | float):
        return repr(value)
    raise SweepError(f"{shown(value)} is no value of a sweep file.")


def in_short(setting: str) -> str:
    """Shorten a setting for a message."""
    return setting if len(setting) <= LONGEST else f"{setting[:LONGEST]}…"


def _split(setting: str) -> tuple[str, str]:
    """Split `KEY=VALUE`; quotes around parts of the key are removed."""
    key, equals, text = setting.partition("=")
    key, text = key.strip().replace('"', "").replace("'", ""), text.strip()
    if not equals or not key:
        raise SweepError(f"{shown(setting)} is not a setting; write KEY=VALUE, as in k=5:60:5.")
    if not text:
        raise SweepError(f"'{key}' is empty; give it at least one value.")
    return key, text


def _inputs(written: Tables) -> set[str]:
    """Name what rules compute from: these axes need not be parameters."""
    rules = [rule for rule in written["dependent"].values() if isinstance(rule, dict)]
    given = [rule.get(key) for rule in rules for key in ("of", "times", "by")]
    return {name for name in given if isinstance(name, str)}


def _apply(written: Tables, key: str, text: str, model: type[BaseModel]) -> None:
    kinds = dict(_kinds(model))
    if "." in key and key not in kinds and key not in PARAMETERS:
        ask_more()
    table, _, name = key.partition(".")
    if key in kinds:
        _set_key(written, key, text, kinds[key], _value_of(model, key))
    elif key in PARAMETERS or key in written["axes"]:
        _set_parameter(written, key, text)
    elif table in ("axes", "parameters") and name:
        _set_parameter(written, name, text, table)
    elif table == "dependent" and name:
        _set_rule(written, name, text)
    elif (above := _table_of(key, kinds)) is not None:
        inner = written
        for part in above.split("."):
            inner = inner.setdefault(part, {})
        _assign(inner, key.removeprefix(f"{above}."), _single(key, text))
    else:
        leaves = [name for name, kind in kinds.items() if not _models(kind)]
        known = (*PARAMETERS, *written["axes"], *leaves)
        hint = did_you_mean(key, known, "docs/sweep-files.md lists them.")
        raise SweepError(f"there is no parameter or setting {key!r}. {hint}")


def _kinds(model: type[BaseModel]) -> Iterator[tuple[str, Any]]:
    """List the keys of a sweep file that are not parameters or axes, with their types."""
    for name, field in model.model_fields.items():
        yield name, field.annotation
        for table in _models(field.annotation):
            for below, inner in table.model_fields.items():
                yield f"{name}.{below}", inner.annotation


def _table_of(key: str, kinds: dict[str, Any]) -> str | None:
    """Name the table with free keys that holds a key, as in `law.exponents`; None if none does."""
    tables = (name for name, kind in kinds.items() if "." in name and get_origin(kind) is dict)
    return next((name for name in tables if key.startswith(f"{name}.")), None)


def _models(kind: Any) -> list[type[BaseModel]]:
    kinds = (kind, *get_args(kind))
    return [each for each in kinds if isinstance(each, type) and issubclass(each, BaseModel)]


def _value_of(model: type[BaseModel], key: str) -> str | None:
    """Name the key whose axis a key takes its value from.

    It is in the same table and declared by the field; None if there is none.
    """
    table, _, leaf = key.partition(".")
    for inner in _models(model.model_fields[table].annotation):
        extra = inner.model_fields[leaf].json_schema_extra if leaf else None
        if isinstance(extra, dict) and "value_of" in extra:
            return str(extra["value_of"])
    return None


def _set_key(written: Tables, key: str, text: str, kind: Any, value_of: str | None) -> None:
    """Set a key that is not a parameter: text as it is, a table as TOML, or one value.

    Args:
        written: the sweep, as plain tables.
        key: the key, with a dot if it is in a table.
        text: VALUE of the setting.
        kind: the type of its value.
        value_of: the key that names the axis it takes its value from, if there is one.
    """
    *parents, leaf = key.split(".")
    for parent in parents:
        if text == DEFAULT and parent not in written:
            return
        written = written.setdefault(parent, {})
    value: Any
    if text == DEFAULT:
        value = ABSENT
    elif kind in (str, str | None) and not text.startswith(BRACKETS[:2]):
        value = text
    elif kind == tuple[str, ...]:
        value = _texts(key, text)
    elif value_of is not None:
        as_it_is = is_text(str(written.get(value_of))) and not text.startswith(BRACKETS)
        value = text if as_it_is else read_value(text)
    else:
        value = _single(key, text)
    if get_origin(kind) is dict or _models(kind):
        value = {} if value is ABSENT and get_origin(kind) is dict else value
        if value is not ABSENT and not isinstance(value, dict):
            raise SweepError(f"'{key}' is a table; write {key}.NAME=VALUE, or {{NAME = VALUE}}.")
        value = flatten(value, key) if get_origin(kind) is dict else value
    _assign(written, leaf, value)


def _texts(key: str, text: str) -> Any:
    """Read several names, `paired=a,b`, or one rule, `exclude=k > m`; several rules need TOML."""
    if text.startswith(BRACKETS):
        value = read_value(text)
        return [value] if isinstance(value, str) else value
    return [part.strip() for part in text.split(",") if part.strip()] if key == "paired" else [text]


def _set_parameter(written: Tables, key: str, text: str, table: str = "") -> None:
    """Set a parameter or an axis: several values make an axis, and an axis stays an axis.

    Args:
        written: the sweep.
        key: the parameter or axis.
        text: VALUE of the setting.
        table: `axes` or `parameters` if the setting names it, else empty.
    """
    value, several = (ABSENT, False) if text == DEFAULT else _values(key, text)
    if several and table == "parameters":
        raise SweepError(f"'parameters.{key}' takes one value, not several.")
    if several and isinstance(value, str | dict):
        check_stop(key, value)
    is_axis = several or table == "axes" or (key in written["axes"] and table != "parameters")
    for name in ("axes", "parameters", "dependent"):
        if value is ABSENT or name != ("axes" if is_axis else "parameters"):
            written[name].pop(key, None)
    if value is not ABSENT:
        target = written["axes" if is_axis else "parameters"]
        target[key] = [value] if is_axis and not several else value


def _values(name: str, text: str) -> tuple[Any, bool]:
    """Read a parameter's value or an axis's values: TOML, a range, a list, or one value.

    Returns:
        The value as a file has it, and whether it is several values.
    """
    if text.startswith(BRACKETS):
        value = read_value(text)
        return value, _is_several(name, value)
    if ":" in text and not is_text(name):
        return text, True
    parts = [part.strip() for part in text.split(",") if part.strip()]
    values = parts if is_text(name) else [read_value(part) for part in parts]
    return (values, True) if "," in text else (values[0], False)


def _is_several(name: str, value: Any) -> bool:
    if isinstance(value, str):
        return ":" in value and not is_text(name)
    if isinstance(value, list):
        # A list is several values if it has text, or one level more than one value has.
        holds_text = any(isinstance(each, str) for each in value)
        return holds_text or _depth(value) > (facts(name).list_depth if name in PARAMETERS else 0)
    return isinstance(value, dict)


def _depth(value: Any) -> int:
    return 1 + max(map(_depth, value), default=0) if isinstance(value, list) else 0


def _set_rule(written: Tables, name: str, text: str) -> None:
    """Set `dependent.NAME` as a whole, one of its parts, or one entry of its table."""
    name, _, entry = name.partition(".table.")
    above, _, part = name.rpartition(".")
    is_whole = not entry and (part not in Dependent.model_fields or not above)
    if not entry and not is_whole:
        name = above
    key = f"dependent.{name}"
    for table in ("axes", "parameters") if text != DEFAULT else ():
        written[table].pop(name, None)
    rules = written["dependent"]
    if is_whole:
        if text != DEFAULT and not text.startswith("{"):
            raise SweepError(f"'{key}' is a table, as in {{of = \"k\", times = 6}}.")
        _assign(rules, name, ABSENT if text == DEFAULT else read_value(text))
        return
    rules[name] = _copied(rules.get(name))
    if not entry:
        _assign(rules[name], part, _list_or_single(f"{key}.{part}", text))
        return
    by = rules[name].get("by")
    rules[name]["table"] = _copied(rules[name].get("table"))
    label = key_label(by, entry) if isinstance(by, str) else entry
    _assign(rules[name]["table"], label, _list_or_single(f"{key}.table.{entry}", text))


def _copied(table: Any) -> Tables:
    return dict(table) if isinstance(table, dict) else {}


def _list_or_single(key: str, text: str) -> Any:
    if "," in text and not text.startswith(BRACKETS):
        return [read_value(part) for part in text.split(",") if part.strip()]
    return _single(key, text)


def _single(key: str, text: str) -> Any:
    """Read one value: TOML, a number, a truth value or text."""
    if text == DEFAULT:
        return ABSENT
    if (":" in text or "," in text) and not text.startswith(BRACKETS):
        raise SweepError(f"'{key}' takes one value, not several.")
    return read_value(text)


def _assign(table: Tables, key: str, value: Any) -> None:
    if value is ABSENT:
        table.pop(key, None)
    else:
        table[key] = value
