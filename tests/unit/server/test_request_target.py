from __future__ import annotations

import pytest

from eventlet._protocols.refusals import BadRequest
from eventlet._server.request_target import split_target


@pytest.mark.parametrize(
    "method, target, raw_path, path, query, host",
    [
        ("GET", "/", "/", "/", None, None),
        ("GET", "/a?", "/a", "/a", "", None),
        ("GET", "/a?b?c", "/a", "/a", "b?c", None),
        ("GET", "/a%20b%2Fc?%20", "/a%20b%2Fc", "/a b/c", "%20", None),
        ("GET", "/%C3%BC", "/%C3%BC", "/Ã¼", None, None),
        ("GET", "/Ã¼%41", "/Ã¼%41", "/Ã¼A", None, None),
        ("GET", "/%zz%", "/%zz%", "/%zz%", None, None),
        ("GET", "///a", "///a", "///a", None, None),
        ("GET", "/a?b#c", "/a", "/a", "b#c", None),
        ("OPTIONS", "*", "*", "*", None, None),
        ("CONNECT", "a.b:443", "a.b:443", "a.b:443", None, None),
        ("CONNECT", "[::1]:443", "[::1]:443", "[::1]:443", None, None),
        ("GET", "http://a/b?c", "/b", "/b", "c", "a"),
        ("GET", "https://a:81/%41", "/%41", "/A", None, "a:81"),
        ("GET", "HTTP://a", "/", "/", None, "a"),
        ("GET", "http://a?b", "/", "/", "b", "a"),
        ("GET", "http://a#b", "/#b", "/#b", None, "a"),
        ("GET", "http://u:p@a:80/b", "/b", "/b", None, "a:80"),
        ("GET", "http://my_app:80/b", "/b", "/b", None, "my_app:80"),
        ("GET", "http://[::1]:80/b", "/b", "/b", None, "[::1]:80"),
        ("OPTIONS", "http://a", "*", "*", None, "a"),
    ],
)
def test_targets(
    method: str, target: str, raw_path: str, path: str, query: str | None, host: str | None
) -> None:
    assert split_target(method, target) == (raw_path, path, query, host)


@pytest.mark.parametrize(
    "method, target",
    [
        ("GET", "*"),
        ("GET", "a/b"),
        ("GET", "a.b:443"),
        ("GET", "?a"),
        ("GET", "http:/a"),
        ("GET", "http://"),
        ("GET", "http:///a"),
        ("GET", "http://a b/"),
        ("GET", "http://a,b/"),
        ("GET", "http://a@b@c/"),
        ("GET", "http://a:99999/"),
        ("GET", "http://a%zz/"),
        ("GET", "ftp://a/b"),
        ("PUT", "s://]ufd/:"),
        ("CONNECT", "/"),
        ("CONNECT", "a"),
        ("CONNECT", "a:"),
        ("CONNECT", ":80"),
        ("CONNECT", "[::1]"),
        ("CONNECT", "[::1::2]:80"),
        ("CONNECT", "a:65536"),
        ("CONNECT", "a,b:80"),
        ("GET", "http://[::1::2]/"),
        ("CONNECT", "http://a/"),
    ],
)
def test_targets_that_are_none(method: str, target: str) -> None:
    with pytest.raises(BadRequest):
        split_target(method, target)
