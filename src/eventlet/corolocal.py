"""Variables that each green thread has for itself, like `threading.local`.

Each greenlet has a *place*, an object of its own; a `local` holds the values of every place.
So a value that refers back to its `local` goes with that. What a green thread has set goes when
it ends, also when a value refers back to the green thread, because it gives up its place then;
`forget_locals` does the same for a worker that takes its next job. A plain greenlet takes its
place along when it goes. Only values that refer back to a plain greenlet stay, until the next
look for those that are dead.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Final, Self
from weakref import ReferenceType, ref

from greenlet import getcurrent

from eventlet._core.thread import SpawnedGreenlet

__all__ = ["forget_locals", "get_ident", "local"]

_FIRST_LOOK: Final = 64
"""How many places a `local` has values for when it first looks for dead greenlets."""


def get_ident() -> int:
    """Return a number for the current green thread; another may get it after its death."""
    return id(getcurrent())


class _Place:
    """What stands for one greenlet in every `local`.

    Attributes:
        thread: the greenlet, if it is a plain one, which does not tell when it has ended.
    """

    __slots__ = ("__weakref__", "thread")

    def __init__(self, thread: Any) -> None:
        self.thread = None if isinstance(thread, SpawnedGreenlet) else ref(thread)


class _Values(dict[str, Any]):
    """The attributes of one `local` in one greenlet, and what ends them with the greenlet."""

    __slots__ = ("place",)

    place: ReferenceType[_Place]


class _Everywhere(dict[int, _Values]):
    """The values of one `local`: id of a place -> attributes.

    Attributes:
        limit: how many there may be until those of dead greenlets are looked for.
    """

    __slots__ = ("__weakref__", "limit")

    def __init__(self) -> None:
        self.limit = _FIRST_LOOK


class local:  # noqa: N801  # named like threading.local
    """An object whose attributes are different in each green thread.

    A subclass may have an `__init__`: it runs in each green thread at the first use
    there, with the arguments of the constructor.

    Raises:
        TypeError: arguments for a class without an `__init__`.
    """

    _local__arguments: tuple[tuple[Any, ...], dict[str, Any]]
    _local__everywhere: _Everywhere

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Make the object; the caller's `__init__` runs as for every class."""
        if (args or kwargs) and cls.__init__ is object.__init__:
            raise TypeError(f"{cls.__name__}() takes no arguments: the class has no __init__")
        self = object.__new__(cls)
        object.__setattr__(self, "_local__arguments", (args, kwargs))
        object.__setattr__(self, "_local__everywhere", _Everywhere())
        _add_values(self)
        return self

    def __getattribute__(self, name: str) -> Any:
        values = _values_of(self)
        if name in values:
            return values[name]
        if name == "__dict__":
            return values
        return object.__getattribute__(self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        values = _values_of(self)
        if name == "__dict__":
            raise AttributeError(
                f"{type(self).__name__!r} object attribute '__dict__' is read-only"
            )
        if _is_data_descriptor(type(self), name):
            object.__setattr__(self, name, value)
        else:
            values[name] = value

    def __delattr__(self, name: str) -> None:
        values = _values_of(self)
        if name == "__dict__":
            raise AttributeError(
                f"{type(self).__name__!r} object attribute '__dict__' is read-only"
            )
        if _is_data_descriptor(type(self), name):
            object.__delattr__(self, name)
        elif name in values:
            del values[name]
        else:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")


def forget_locals(thread: Any) -> None:
    """Drop the values that every `local` has in a greenlet, as if it had just begun."""
    thread._place = None


def _values_of(owner: local) -> _Values:
    everywhere = _everywhere_of(owner, "_local__everywhere")
    try:
        return everywhere[id(getcurrent()._place)]  # type: ignore[attr-defined,no-any-return]  # ours
    except (AttributeError, KeyError):
        pass  # the first use in this greenlet
    values = _add_values(owner)
    args, kwargs = object.__getattribute__(owner, "_local__arguments")
    initialise: Callable[..., None] = type(owner).__init__
    if initialise is not object.__init__:
        try:
            initialise(owner, *args, **kwargs)
        except BaseException:
            everywhere.pop(id(values.place()), None)  # the next use tries again
            raise
    return values


_everywhere_of: Final = object.__getattribute__


def _add_values(owner: local) -> _Values:
    everywhere: _Everywhere = _everywhere_of(owner, "_local__everywhere")
    if len(everywhere) >= everywhere.limit:
        _drop_those_of_the_dead(everywhere)
    thread: Any = getcurrent()
    place: _Place | None = getattr(thread, "_place", None)
    if place is None:
        place = thread._place = _Place(thread)
    values = _Values()
    values.place = ref(place, partial(_drop_values, ref(everywhere), id(place)))
    everywhere[id(place)] = values
    return values


def _drop_values(everywhere: "ReferenceType[_Everywhere]", key: int, _place: object) -> None:
    living = everywhere()
    if living is not None:
        living.pop(key, None)


def _drop_those_of_the_dead(everywhere: _Everywhere) -> None:
    """Drop values that keep their greenlet, which keeps their place."""
    for key, values in tuple(everywhere.items()):
        place = values.place()
        if place is None or place.thread is None:
            continue
        thread = place.thread()
        if thread is None or thread.dead:
            everywhere.pop(key, None)
    everywhere.limit = max(_FIRST_LOOK, 2 * len(everywhere))


def _is_data_descriptor(cls: type, name: str) -> bool:
    for base in cls.__mro__:
        if name in vars(base):
            kind = type(vars(base)[name])
            return hasattr(kind, "__set__") or hasattr(kind, "__delete__")
    return False
