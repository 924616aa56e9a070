"""Lines of the access log, and logs that fail."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from typing import Any

import pytest

from eventlet import wsgi
from eventlet._server.access_log import (
    AccessLog,
    JsonAccessLog,
    chain_and_peer,
    escape_quoted,
    get_logger,
    outlast,
    peer_alone,
)

from tests.unit.server.site import Lines, Site

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.mark.parametrize(
    "text, written",
    [
        ("GET / HTTP/1.1", "GET / HTTP/1.1"),
        ('GET /" 200 5 "', r"GET /\" 200 5 \""),
        ("GET /\\x85\x85", r"GET /\\x85\x85"),
        ("\r\n\0\x7f\u2028", r"\r\n\x00\x7f\u2028"),
    ],
)
def test_what_is_quoted_cannot_end_the_quotes(text: str, written: str) -> None:
    assert escape_quoted(text) == written


@pytest.mark.parametrize("forwarded_for", ['"1.2.3.4"', "a\nb", "\xff\x85", "1.2.3.4, \x1b[2J"])
def test_the_client_is_escaped_once(forwarded_for: str) -> None:
    lines: list[str] = []
    client = chain_and_peer("192.0.2.1", forwarded_for)
    AccessLog(lines.append, "%(client_ip)s", chain_and_peer).request(client, "1", "", 200, 0, 0.0)
    JsonAccessLog(lines.append, "json", chain_and_peer).request(client, "1", "", 200, 0, 0.0)

    assert lines[0].isprintable()
    assert json.loads(lines[1])["client_ip"] == f"{forwarded_for},192.0.2.1".replace(" ", "")


@pytest.mark.parametrize("log_format", ["%(nothing)s", "%(client_ip)d", "%s %s", "100 %"])
def test_a_format_that_is_none_is_told_at_once(log_format: str) -> None:
    with pytest.raises(ValueError, match="log_format"):
        wsgi.Server(None, None, None, log_format=log_format)  # type: ignore[arg-type]  # not called


def test_a_log_that_fails_is_told_once_each_time(capsys: pytest.CaptureFixture[str]) -> None:
    written: list[str] = []

    def write(line: str) -> None:
        if line == "bad":
            raise OSError(28, "disk full")
        written.append(line)

    log = outlast(write)
    for line in ("bad", "bad", "good", "bad"):
        log(line)

    assert written == ["good"]
    assert capsys.readouterr().err.count("cannot log") == 2


def test_a_log_that_fails_with_the_standard_error_is_outlasted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Broken:
        def write(self, text: str) -> None:
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stderr", Broken())
    outlast(sys.stderr.write)("line")


class FailingLog:
    """Fails for every line that has a word in it."""

    def __init__(self, word: str) -> None:
        self.word = word

    def info(self, line: str) -> None:
        if self.word in line:
            raise OSError(28, f"disk full, {self.word}")

    debug = info


@pytest.mark.parametrize(
    "word", ["starting", "accepted", '"GET / HTTP/1.1"', "Traceback", "refused", "exited"]
)
def test_no_request_notices_a_log_that_fails(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    hooks = []

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        environ["eventlet.posthooks"].append((lambda _: hooks.append(1), (), {}))
        if environ["PATH_INFO"] == "/fail":
            raise ZeroDivisionError
        start_response("200 OK", [])
        return [b"hello"]

    with Site(app, log=FailingLog(word)) as site:
        assert [reply.status for reply in site.replies(GET * 2)] == [200, 200]
        assert site.reply(GET.replace(b"/ ", b"/fail ")).status == 500
        assert site.reply(b"nonsense\r\n\r\n").status == 400
        assert site.reply(GET).status == 200

    assert len(hooks) == 4
    assert f"disk full, {word}" in capsys.readouterr().err


def test_whatever_can_be_written_to_takes_errors_too() -> None:
    lines = Lines()
    log: Any = get_logger(lines, False)
    log.info("an %s", "info")
    log.debug("a detail")
    log.error("an %s", "error")
    try:
        raise ZeroDivisionError
    except ZeroDivisionError:
        log.exception("100 %")

    first, second, third, *traceback = lines
    assert [first, second, third] == ["an info", "an error", "100 %"]
    assert traceback[0].startswith("Traceback")
    assert traceback[-1] == "ZeroDivisionError"


def test_the_peer_alone() -> None:
    assert peer_alone("192.0.2.1", "1.2.3.4") == "192.0.2.1"
