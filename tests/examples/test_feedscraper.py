from __future__ import annotations

import http.client
import socket
import ssl
import time
from pathlib import Path

import pytest
import trustme

from tests.conftest import RunIsolated
from tests.examples.programs import EXAMPLES, Running, example
from tests.examples.web import Answer, Web, serve_web

pytestmark = pytest.mark.slow


def rss(title: str, encoding: str = "utf-8", delay: float = 0.0) -> Answer:
    text = f"""<?xml version="1.0" encoding="{encoding}"?>
<rss version="2.0"><channel><title>{title}</title><link>http://localhost/</link>
<description>A feed</description></channel></rss>"""
    return Answer(text.encode(encoding), f"application/rss+xml; charset={encoding}", delay=delay)


FEEDS = {
    "/cafe": rss("Le café"),
    "/latin": rss("Möwe", encoding="iso-8859-1"),
    "/plain": rss("Kernel notes"),
}


def post(scraper: Running, body: bytes) -> tuple[int, str]:
    """Post as an ordinary client does: keeping the connection, and waiting for the answer."""
    connection = http.client.HTTPConnection(*scraper.address, timeout=60)
    try:
        connection.request("POST", "/", body)
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def urls(web: Web, *paths: str) -> bytes:
    return "\n".join(web.url + path for path in paths).encode()


def test_titles_come_back_in_order_and_whatever_their_letters() -> None:
    with serve_web(FEEDS) as web, example("feedscraper") as scraper:
        body = urls(web, "/cafe", "/plain", "/latin", "/cafe")

        assert post(scraper, body) == (200, "Le café\nKernel notes\nMöwe\nLe café")
        assert scraper.stop() == 0


def test_line_ends_blank_lines_and_spaces_do_not_matter() -> None:
    with serve_web(FEEDS) as web, example("feedscraper") as scraper:
        body = f"  {web.url}/cafe \r\n\r\n\n\t{web.url}/plain\n".encode()

        assert post(scraper, body) == (200, "Le café\nKernel notes")


def test_feeds_that_fail_say_why_in_their_place() -> None:
    answers = FEEDS | {
        "/broken": Answer(b"oops", status=500),
        "/untitled": Answer(b"<rss version='2.0'><channel/></rss>", "application/rss+xml"),
    }
    with serve_web(answers) as web, example("feedscraper") as scraper:
        body = urls(web, "/broken", "/untitled", "/plain")
        body += b"\nhttp://localhost:1/\n/etc/passwd\nfile:///etc/passwd\nhttp://[::1\n"
        status, text = post(scraper, body)

    assert status == 200
    broken, untitled, plain, refused, path, file, malformed = text.split("\n")
    assert broken == f"[{web.url}/broken: HTTP 500]"
    assert untitled == f"[{web.url}/untitled: no title]"
    assert plain == "Kernel notes"
    assert "refused" in refused
    assert path == "[/etc/passwd: not a web address]"
    assert file == "[file:///etc/passwd: not a web address]"
    assert malformed.startswith("[http://[::1: ")


def test_a_feed_that_does_not_come_is_given_up() -> None:
    answers = {"/hangs": rss("too late", delay=60)}
    with serve_web(answers) as web, example("feedscraper", "--timeout=0.3") as scraper:
        status, text = post(scraper, urls(web, "/hangs"))

    assert (status, text) == (200, f"[{web.url}/hangs: no answer within 0.3 s]")


def test_other_requests_are_refused() -> None:
    with example("feedscraper") as scraper:
        assert post(scraper, b"x" * 300_000)[0] == 413
        connection = http.client.HTTPConnection(*scraper.address, timeout=60)
        connection.request("GET", "/")
        assert connection.getresponse().status == 405
        connection.close()
        assert post(scraper, b"\n") == (200, "")


def test_feeds_over_tls(tmp_path: Path) -> None:
    authority, stranger = trustme.CA(), trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    env = {"SSL_CERT_FILE": str(tmp_path / "authority.pem")}
    with (
        serve_web(FEEDS, tls_of(authority)) as trusted,
        serve_web(FEEDS, tls_of(stranger)) as unknown,
        example("feedscraper", env=env) as scraper,
    ):
        status, text = post(scraper, urls(trusted, "/cafe") + b"\n" + urls(unknown, "/cafe"))

    assert status == 200
    good, bad = text.split("\n")
    assert good == "Le café"
    assert "CERTIFICATE_VERIFY_FAILED" in bad


def tls_of(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    return context


def test_pool_limit_holds_across_all_clients() -> None:
    feeds = {f"/{number}": rss(f"Feed {number}", delay=0.1) for number in range(10)}
    with serve_web(feeds, together=5) as web, example("feedscraper", "--concurrency=5") as scraper:
        started = time.monotonic()
        clients = []
        for _ in range(4):
            client = socket.create_connection(scraper.address, 60)
            body = urls(web, *feeds)
            head = f"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
            client.sendall(head.encode() + body)
            clients.append(client)
        answers = []
        for client in clients:
            response = http.client.HTTPResponse(client)
            response.begin()
            answers.append(response.read().decode())
            response.close()
            client.close()
        elapsed = time.monotonic() - started

        assert answers == ["\n".join(f"Feed {number}" for number in range(10))] * 4
        assert web.most_in_hand == 5
        assert len(web.asked) == 40
        assert elapsed >= 0.8


def test_client_program_prints_what_each_client_got(run_isolated: RunIsolated) -> None:
    with serve_web(FEEDS) as web, example("feedscraper") as scraper:
        finished = run_isolated(
            EXAMPLES / "feedscraper_client.py",
            f"--server={scraper.announced}",
            "--clients=2",
            f"{web.url}/cafe",
            f"{web.url}/plain",
        )

    assert finished.stdout.splitlines() == [
        "client 1: Le café",
        "client 1: Kernel notes",
        "client 2: Le café",
        "client 2: Kernel notes",
    ]


def test_client_program_reports_a_server_that_is_not_there(run_isolated: RunIsolated) -> None:
    finished = run_isolated(
        EXAMPLES / "feedscraper_client.py",
        "--server=http://127.0.0.1:1/",
        "http://localhost/feed",
        expect_status=1,
    )

    assert "client 1 failed: URLError" in finished.stderr
