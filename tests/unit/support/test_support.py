"""The helpers old programs import."""

import errno
from typing import Any

import greenlet
import pytest

from eventlet import support
from eventlet.support import greenlets


@pytest.mark.parametrize(
    ("exc", "code"),
    [
        (OSError(errno.EPIPE, "gone"), errno.EPIPE),
        (ValueError(7), 7),
        (ValueError(), None),
    ],
)
def test_errno_of_an_exception(exc: Any, code: Any) -> None:
    assert support.get_errno(exc) == code


def test_bytes_become_text_and_text_stays() -> None:
    assert support.bytes_to_str(b"abc") == "abc"
    assert support.bytes_to_str("abc") == "abc"
    assert support.bytes_to_str(b"caf\xc3\xa9", "utf-8") == "café"
    with pytest.raises(UnicodeDecodeError):
        support.bytes_to_str(b"\xff")


def test_greenlet_names_are_greenlets_own() -> None:
    assert greenlets.getcurrent is greenlet.getcurrent
    assert greenlets.GreenletExit is greenlet.GreenletExit
    assert greenlets.greenlet is greenlet.greenlet


def test_a_function_under_an_old_name_warns_its_caller() -> None:
    @support.wrap_deprecated("old.name", "new.name")
    def add(left: int, right: int) -> int:
        """Add."""
        return left + right

    with pytest.warns(DeprecationWarning, match=r"old\.name .* use new\.name") as caught:
        assert add(1, right=2) == 3
    assert caught[0].filename == __file__
    assert add.__doc__ == "Add."


def test_this_is_not_python_3_3() -> None:
    assert support.PY33 is False
