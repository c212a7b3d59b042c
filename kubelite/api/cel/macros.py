"""The macros, as functions: each evaluates its arguments with variables bound to one item after the other. Pure.

Source: cel-spec doc/langdef.md (Macros), cel-go ext/comprehensions.go
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from kubelite.api.cel.errors import CelError
from kubelite.api.cel.frame import OVERLOAD, Eval, Frame
from kubelite.api.cel.values import NONE, Optional, key_of, value_of

_ITERATION = 3


def _rows(over: Any, frame: Frame, names: tuple[str, ...]) -> Iterator[Any]:
    """Binds the names to one item after the other, and yields what the first is bound to."""
    rows: Iterable[Any]
    if isinstance(over, list):
        rows = enumerate(over) if len(names) == 2 else over
    elif type(over) is dict:
        keys = [value_of(key) for key in over]
        rows = zip(keys, over.values(), strict=True) if len(names) == 2 else keys
    else:
        raise CelError(OVERLOAD)
    outer = {name: frame.vars[name] for name in names if name in frame.vars}
    try:
        for row in rows:
            frame.charge(_ITERATION)
            if len(names) == 2:
                frame.vars[names[0]], frame.vars[names[1]] = row
                yield row[0]
            else:
                frame.vars[names[0]] = row
                yield row
    finally:
        for name in names:
            frame.vars.pop(name, None)
        frame.vars.update(outer)


def _quantified(decisive: bool) -> Callable[[Eval, tuple[str, ...], list[Eval]], Eval]:
    def make(over: Eval, names: tuple[str, ...], args: list[Eval]) -> Eval:
        (predicate,) = args

        def run(frame: Frame) -> Any:
            error: CelError | None = None
            rows = _rows(over(frame), frame, names)
            try:
                for _ in rows:
                    try:
                        value = predicate(frame)
                    except CelError as failed:
                        error = error or failed
                        continue
                    if value is decisive:
                        return decisive
                    if type(value) is not bool:
                        error = error or CelError(OVERLOAD)
            finally:
                rows.close()  # type: ignore[attr-defined]  # a generator, so that names are unbound at once
            if error is not None:
                raise error
            return not decisive

        return run

    return make


def _holds(value: Any) -> bool:
    """Raises: CelError for what is no bool."""
    if value is True or value is False:
        return bool(value)
    raise CelError(OVERLOAD)


def _exists_one(over: Eval, names: tuple[str, ...], args: list[Eval]) -> Eval:
    (predicate,) = args
    return lambda frame: sum([_holds(predicate(frame)) for _ in _rows(over(frame), frame, names)]) == 1


def _filter(over: Eval, names: tuple[str, ...], args: list[Eval]) -> Eval:
    (predicate,) = args
    return lambda frame: [row for row in _rows(over(frame), frame, names) if _holds(predicate(frame))]


def _transform_list(over: Eval, names: tuple[str, ...], args: list[Eval]) -> Eval:
    *predicates, transform = args

    def run(frame: Frame) -> list[Any]:
        rows = _rows(over(frame), frame, names)
        return [transform(frame) for _ in rows if all(_holds(each(frame)) for each in predicates)]

    return run


def _transform_map(over: Eval, names: tuple[str, ...], args: list[Eval]) -> Eval:
    *predicates, transform = args

    def run(frame: Frame) -> dict[Any, Any]:
        rows = _rows(over(frame), frame, names)
        return {key_of(key): transform(frame) for key in rows if all(_holds(each(frame)) for each in predicates)}

    return run


def _transform_entries(over: Eval, names: tuple[str, ...], args: list[Eval]) -> Eval:
    *predicates, transform = args

    def run(frame: Frame) -> dict[Any, Any]:
        made: dict[Any, Any] = {}
        for _ in _rows(over(frame), frame, names):
            if all(_holds(each(frame)) for each in predicates):
                entry = transform(frame)
                if type(entry) is not dict:
                    raise CelError(OVERLOAD)
                if repeated := made.keys() & entry.keys():
                    raise CelError(f"insert failed: key {min(map(str, repeated))} already exists")
                made |= entry
        return made

    return run


def _optional_map(*, is_flat: bool) -> Callable[[Eval, tuple[str, ...], list[Eval]], Eval]:
    def make(over: Eval, names: tuple[str, ...], args: list[Eval]) -> Eval:
        (transform,) = args

        def run(frame: Frame) -> Any:
            value = over(frame)
            if type(value) is not Optional:
                raise CelError(OVERLOAD)
            made = [transform(frame) for _ in _rows([value.value] if value.present else [], frame, names)]
            if not made:
                return NONE
            return made[0] if is_flat else Optional(made[0], True)

        return run

    return make


MACROS: dict[str, Callable[[Eval, tuple[str, ...], list[Eval]], Eval]] = {
    "all": _quantified(False),
    "exists": _quantified(True),
    "exists_one": _exists_one,
    "existsOne": _exists_one,
    "filter": _filter,
    "map": _transform_list,
    "transformList": _transform_list,
    "transformMap": _transform_map,
    "transformMapEntry": _transform_entries,
    "optMap": _optional_map(is_flat=False),
    "optFlatMap": _optional_map(is_flat=True),
}
