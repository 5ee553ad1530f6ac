"""Values of emplus as JSON and arrays, and back: the same bits, no code.

What can be written are numbers, text, arrays, containers of these, and frozen dataclasses,
enumerations and classes without any state, of this package and of the modules that families and
searches were registered from. A class is named by its module, and looked for among those that are
loaded already; nothing is imported or called by name but its constructor.
"""

from __future__ import annotations

import dataclasses
import enum
import math
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from emplus.families.base import Array
from emplus.families.registry import KNOWN_FAMILIES
from emplus.search.registry import KNOWN_SEARCHES

__all__ = ["FLOATS", "Reader", "Writer"]

# Tensors of a file in which all arrays of one type follow each other.
FLOATS = ("float64", "float32")
# Numbers in a row from which on they are an array.
_MANY = 4


class Writer:
    """Takes values apart.

    An array that occurs twice is written once.

    Raises
    ------
    TypeError
        By `tree`, for a value of another kind; it says which.
    """

    def __init__(self) -> None:
        self._arrays: dict[str, list[Array]] = {name: [] for name in FLOATS}
        self._sizes = dict.fromkeys(FLOATS, 0)
        self._places: dict[int, tuple[Any, dict[str, Any]]] = {}

    def tensors(self) -> dict[str, Array]:
        """All numbers of the arrays written, by type."""
        return {
            name: np.concatenate([np.empty(0, name), *parts])
            for name, parts in self._arrays.items()
        }

    def tree(self, value: Any) -> Any:
        """JSON for a value."""
        if value is None or isinstance(value, bool | str) or type(value) is int:
            return value
        if type(value) is float:
            return value if math.isfinite(value) else {"float": repr(value)}
        if isinstance(value, enum.Enum):
            return {"enum": _name(type(value)), "value": value.value}
        if isinstance(value, np.ndarray | np.generic):
            return self._array(value)
        if isinstance(value, dict):
            return {"dict": [[self.tree(key), self.tree(one)] for key, one in value.items()]}
        if isinstance(value, list | tuple):
            return self._sequence(value)
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            fields = {
                one.name: self.tree(getattr(value, one.name))
                for one in dataclasses.fields(value)
                if one.init
            }
            return {"new": _name(type(value)), "fields": fields}
        if _is_bare(type(value)) and not getattr(value, "__dict__", None):
            return {"bare": _name(type(value))}
        raise TypeError(f"a {type(value).__name__} cannot be written")

    def _sequence(self, value: Sequence[Any]) -> Any:
        kind = "list" if isinstance(value, list) else "tuple"
        if len(value) >= _MANY and all(type(one) is float for one in value):
            written = {kind: self._array(np.array(value))}
        else:
            written = {kind: [self.tree(one) for one in value]}
        return written if type(value) in (list, tuple) else {**written, "as": _name(type(value))}

    def _array(self, value: Any) -> Any:
        array = np.asarray(value)
        if isinstance(value, np.generic):
            return {"scalar": array.dtype.name, "value": self.tree(value.item())}
        if array.dtype.name not in FLOATS:
            if array.dtype.kind not in "biu":
                raise TypeError(f"an array of {array.dtype} cannot be written")
            shape = list(array.shape)
            return {"whole": array.dtype.name, "shape": shape, "values": array.ravel().tolist()}
        if (known := self._places.get(id(value))) is not None:
            return known[1]
        # As it lies in memory: products of matrices may depend on that in their last bits.
        axes = sorted(range(array.ndim), key=lambda axis: (-array.strides[axis], axis))
        laid = np.ascontiguousarray(array.transpose(axes))
        name = array.dtype.name
        place = {"array": name, "at": self._sizes[name], "shape": list(laid.shape), "axes": axes}
        self._arrays[name].append(laid.reshape(-1))
        self._sizes[name] += laid.size
        # Held, so that no other array gets its number.
        self._places[id(value)] = value, place
        return place


class Reader:
    """Puts values together again.

    Parameters
    ----------
    tensors : dict of ndarray
        What `Writer.tensors` gave.

    Raises
    ------
    ValueError
        By `value`, for what no `Writer` has written.
    """

    def __init__(self, tensors: dict[str, Array]):
        self._tensors = tensors
        self._known: dict[tuple[str, int, tuple[int, ...], tuple[int, ...]], Array] = {}

    def value(self, tree: Any) -> Any:
        """The value of a tree."""
        if not isinstance(tree, dict):
            if isinstance(tree, list):
                raise ValueError("it holds a list where a value is due")
            return tree
        for key, read in self._readers.items():
            if key in tree:
                try:
                    return read(self, tree)
                except (KeyError, TypeError, AttributeError, IndexError) as error:
                    raise ValueError(f"it holds a {key} that cannot be ({error})") from None
        raise ValueError("it holds a value of no known kind")

    def _float(self, tree: dict[str, Any]) -> float:
        return {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}[tree["float"]]

    def _enum(self, tree: dict[str, Any]) -> Any:
        return _class(tree["enum"], lambda kind: issubclass(kind, enum.Enum))(tree["value"])

    def _scalar(self, tree: dict[str, Any]) -> Any:
        dtype = np.dtype(tree["scalar"])
        if dtype.kind not in "biuf":
            raise ValueError(f"it holds a number of type {dtype}")
        return dtype.type(self.value(tree["value"]))

    def _dict(self, tree: dict[str, Any]) -> dict[Any, Any]:
        return {self.value(key): self.value(one) for key, one in tree["dict"]}

    def _sequence(self, tree: dict[str, Any]) -> Any:
        kind = "list" if "list" in tree else "tuple"
        inside = tree[kind]
        if isinstance(inside, dict):
            values = self.value(inside).tolist()
        else:
            values = [self.value(one) for one in inside]
        if kind == "list":
            return values
        if "as" not in tree:
            return tuple(values)
        made = _class(tree["as"], lambda kind: issubclass(kind, tuple))
        return made(*values) if hasattr(made, "_fields") else made(values)

    def _whole(self, tree: dict[str, Any]) -> Array:
        dtype = np.dtype(tree["whole"])
        if dtype.kind not in "biu" or not isinstance(tree["values"], list):
            raise ValueError("it holds whole numbers that are none")
        whole: Array = np.array(tree["values"], dtype=dtype).reshape(tree["shape"])
        return whole

    def _array(self, tree: dict[str, Any]) -> Array:
        name, at = tree["array"], tree["at"]
        shape, axes = tuple(tree["shape"]), tuple(tree["axes"])
        known = self._known.get((name, at, shape, axes))
        if known is None:
            size = math.prod(shape)
            numbers = self._tensors[name]
            if not (0 <= at <= at + size <= len(numbers)) or min(shape, default=0) < 0:
                raise ValueError("it holds an array beyond its numbers")
            # A copy: what a value holds is not to keep all the others in memory.
            laid = numbers[at : at + size].copy().reshape(shape)
            known = laid.transpose(np.argsort(axes)) if axes else laid
            self._known[name, at, shape, axes] = known
        return known

    def _new(self, tree: dict[str, Any]) -> Any:
        made = _class(tree["new"], dataclasses.is_dataclass)
        return made(**{name: self.value(one) for name, one in tree["fields"].items()})

    def _bare(self, tree: dict[str, Any]) -> Any:
        return _class(tree["bare"], _is_bare)()

    _readers: dict[str, Callable[[Reader, dict[str, Any]], Any]] = {  # noqa: RUF012 (never changed)
        "float": _float,
        "enum": _enum,
        "scalar": _scalar,
        "dict": _dict,
        "list": _sequence,
        "tuple": _sequence,
        "whole": _whole,
        "array": _array,
        "new": _new,
        "bare": _bare,
    }


def _is_bare(kind: type) -> bool:
    """Whether its objects are all alike, as those of a structure's class are."""
    return kind.__init__ is object.__init__ and not issubclass(kind, enum.Enum)  # type: ignore[misc]  # compared only


def _name(kind: type) -> str:
    if not _is_known(kind.__module__) or "<" in kind.__qualname__:
        raise TypeError(f"a {kind.__name__} cannot be written")
    return f"{kind.__module__}:{kind.__qualname__}"


def _class(name: Any, fits: Callable[[type], bool]) -> Any:
    """A class of emplus by its name; its module must be loaded."""
    module, _, own = str(name).partition(":")
    kind = None
    if _is_known(module):
        kind = getattr(sys.modules.get(module), own, None)
    if not isinstance(kind, type) or kind.__module__ != module or not fits(kind):
        raise ValueError(f"it names {str(name)[:60]!r}, which is no value of emplus")
    return kind


def _is_known(module: str) -> bool:
    """Whether values of a module may be written: emplus's own, and what was registered with it."""
    added = KNOWN_FAMILIES.modules() | KNOWN_SEARCHES.modules()
    return module.split(".")[0] == "emplus" or module in added
