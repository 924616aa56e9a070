"""The resolver of this process, made at the first name that somebody looks up."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from eventlet._names.standard import StandardNames

__all__ = ["DEFAULT", "load_default"]


class _Default:
    """Holds the resolver.

    Attributes:
        names: it; None until it is needed.
    """

    names: "StandardNames | None" = None


DEFAULT = _Default()


def load_default() -> "StandardNames":
    """Return the resolver that reads the system's own files."""
    names = DEFAULT.names
    if names is None:
        from eventlet._names.service import NameService
        from eventlet._names.standard import StandardNames

        names = DEFAULT.names = StandardNames(NameService())
    return names
