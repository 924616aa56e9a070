"""What the code of `socket` needs beyond green names."""

from collections.abc import Callable
from functools import wraps
from types import FunctionType
from typing import Any

__all__ = ["close_when_interrupted"]


def close_when_interrupted(standard: FunctionType) -> Callable[..., Any]:
    """Make a `create_connection` that closes its socket also when it is killed or cancelled.

    The standard one closes it after an `OSError` only.
    """

    @wraps(standard)
    def create_connection(*args: Any, **kwargs: Any) -> Any:
        made: list[Any] = []
        names = standard.__globals__.copy()
        make = names["socket"]

        def make_and_note(*options: Any) -> Any:
            made.append(make(*options))
            return made[-1]

        names["socket"] = make_and_note
        connect = FunctionType(
            standard.__code__, names, standard.__name__, standard.__defaults__, standard.__closure__
        )
        connect.__kwdefaults__ = standard.__kwdefaults__
        try:
            return connect(*args, **kwargs)
        except BaseException:
            for sock in made:
                sock.close()
            raise

    return create_connection
