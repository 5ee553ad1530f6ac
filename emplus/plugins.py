"""What is added to the families and searches from outside: by hand, or by installed packages."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Generic, TypeVar

from emplus.errors import ArgumentError, UnknownNameError

__all__ = ["Registry"]

T = TypeVar("T", bound=Callable[..., Any])


class Registry(Generic[T]):
    """Names and what makes the thing of that name: those of emplus, and those that are added.

    Parameters
    ----------
    kind : str
        What they are, one word for messages: ``"family"``.
    group : str
        The group of entry points by which installed packages make theirs known. One is imported
        when its name is asked for and not before.
    own : mapping of str to callable
        Those of emplus, which nothing replaces.
    reserved : collection of str
        Other names that mean something already.
    """

    def __init__(self, kind: str, group: str, own: Mapping[str, T], reserved: Collection[str] = ()):
        self.kind, self.group, self._reserved = kind, group, frozenset(reserved)
        self._own, self._added = dict(own), dict[str, T]()

    def add(self, name: Any, factory: T) -> None:
        """Make a name known.

        The same class or function may be added again, as when a notebook's cell is run twice.

        Raises
        ------
        ArgumentError
            If the name is no name, or is taken, or what is added is not callable.
        """
        if not isinstance(name, str) or not name.replace("-", "_").isidentifier():
            raise ArgumentError(
                f"{name!r} is no name for a {self.kind}; use letters, digits, - and _, as in "
                "'my-name'."
            )
        if not callable(factory):
            raise ArgumentError(f"What makes the {self.kind} {name!r} must be callable.")
        before = self._added.get(name)
        whose = "emplus" if name in self._own or name in self._reserved else None
        if before is not None and _home(before) != _home(factory):
            whose = _home(before)
        if whose is not None:
            raise ArgumentError(
                f"The {self.kind} name {name!r} is taken (by {whose}); use another."
            )
        self._added[name] = factory

    def names(self) -> list[str]:
        """All names: those of emplus, those that were added, those of installed packages."""
        return list(dict.fromkeys([*self._own, *self._added, *sorted(self._offered())]))

    def outside(self) -> list[str]:
        """The names that are not of emplus."""
        return [name for name in self.names() if name not in self._own]

    def get(self, name: Any) -> T:
        """What makes the thing of that name.

        Raises
        ------
        UnknownNameError
            With the nearest known name.
        ArgumentError
            If a package offers the name, but what it offers cannot be imported.
        """
        found = self._own.get(name) or self._added.get(name)
        if found is None and isinstance(name, str) and name in (offered := self._offered()):
            found = self._imported(offered[name])
            self._added[name] = found
        if found is None:
            raise UnknownNameError(self.kind, name, self.names())
        return found

    def added(self, names: Iterable[str]) -> dict[str, T]:
        """Those of the names that were added in this process."""
        return {name: self._added[name] for name in names if name in self._added}

    def modules(self) -> set[str]:
        """The modules of what was added: their values are known here, too."""
        return {getattr(factory, "__module__", "") for factory in self._added.values()}

    def _offered(self) -> dict[str, importlib.metadata.EntryPoint]:
        points = importlib.metadata.entry_points(group=self.group)
        taken = self._own.keys() | self._reserved
        return {point.name: point for point in points if point.name not in taken}

    def _imported(self, point: importlib.metadata.EntryPoint) -> T:
        try:
            found: T = point.load()
        except Exception as error:  # whatever the package's own code raises
            brought = "" if point.dist is None else f" of the package {point.dist.name}"
            raise ArgumentError(
                f"The {self.kind} {point.name!r}{brought} cannot be imported from {point.value!r} "
                f"({type(error).__name__}: {error}); mend or remove the package."
            ) from error
        return found


def _home(factory: Any) -> str:
    own = getattr(factory, "__qualname__", type(factory).__qualname__)
    return f"{getattr(factory, '__module__', '?')}.{own}"
