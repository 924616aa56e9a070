"""Clients that others have written: curl, nghttp and h2load (nghttp2-client), httpx.

`HTTP2_MEGABYTES` and `HTTP2_REQUESTS` make it longer.
"""

from __future__ import annotations

import os
import re
import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.unit.serve.served import Served, write

pytestmark = pytest.mark.slow  # each starts processes

APP = """\
    import json
    BIG = bytes(1_000_000)
    PAGE = json.dumps({"rows": ["x" * 100] * 155}).encode()

    def app(environ, start_response):
        start_response("200 OK", [("Content-Type", "application/octet-stream")])
        path = environ["PATH_INFO"]
        if path == "/json":
            return [PAGE]
        if path.startswith("/mega/"):
            return (BIG for _ in range(int(path[6:])))
        if path == "/count":
            count = 0
            while data := environ["wsgi.input"].read(65536):
                count += len(data)
            return [b"%d" % count]
        if path == "/deaf":
            start_response("403 Forbidden", [])
            return [b"not interested"]
        return [b"hello over " + environ["SERVER_PROTOCOL"].encode()]
"""
LONG = 120.0
MEGABYTES = int(os.environ.get("HTTP2_MEGABYTES", "5"))
REQUESTS = int(os.environ.get("HTTP2_REQUESTS", "1000"))


@pytest.fixture(scope="module", params=["http", "https"])
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Path]]:
    """The URL of a server, and the folder with the certificate of its authority."""
    folder = tmp_path_factory.mktemp("served")
    write(folder, site_app=APP)
    options = ["--http2", "--access-log=none"]
    if request.param == "https":
        authority = trustme.CA()
        authority.cert_pem.write_to_path(folder / "ca.pem")
        certificate = authority.issue_cert("localhost")
        certificate.private_key_and_cert_chain_pem.write_to_path(folder / "both.pem")
        options.append("--tls-cert=both.pem")
    with Served(folder, *options) as running:
        yield f"{request.param}://localhost:{running.port}", folder
        assert "Traceback" not in running.said
        assert running.end() == 0


def program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def run(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, timeout=LONG, check=True).stdout


def curl(served: tuple[str, Path], path: str, *options: str) -> str:
    url, folder = served
    is_tls = url.startswith("https")
    how = ["--http2", "--cacert", str(folder / "ca.pem")] if is_tls else ["--http2-prior-knowledge"]
    return run(program("curl"), "-sS", *how, *options, url + path)


@pytest.fixture
def upload(tmp_path: Path) -> Any:
    """Make a file of so many bytes."""

    def make(size: int) -> str:
        path = tmp_path / "upload"
        path.write_bytes(bytes(size))
        return str(path)

    return make


def test_curl_asks(served: tuple[str, Path]) -> None:
    assert curl(served, "/") == "hello over HTTP/2"
    assert len(curl(served, "/json")) > 16000
    assert curl(served, "/", "-I").startswith("HTTP/2 200")


def test_curl_downloads(served: tuple[str, Path]) -> None:
    shown = ["-o", "/dev/null", "-w", "%{size_download} %{http_version}"]

    assert curl(served, "/mega/1", *shown) == "1000000 2"
    assert curl(served, f"/mega/{MEGABYTES}", *shown) == f"{MEGABYTES}000000 2"


@pytest.mark.parametrize("size", [4096, 1_000_000, MEGABYTES * 1_000_000])
def test_curl_uploads(served: tuple[str, Path], upload: Any, size: int) -> None:
    assert curl(served, "/count", "-T", upload(size)) == str(size)


def test_curl_waits_for_100_continue(served: tuple[str, Path], upload: Any) -> None:
    shown = ["-H", "Expect: 100-continue", "-T", upload(100_000)]

    assert curl(served, "/count", *shown) == "100000"


def test_curl_hears_an_answer_that_comes_early(served: tuple[str, Path], upload: Any) -> None:
    assert curl(served, "/deaf", "-T", upload(20_000_000)) == "not interested"


def test_curl_asks_many_things_at_once(served: tuple[str, Path]) -> None:
    url = served[0]
    if url.startswith("http:"):
        pytest.skip("curl does not do that without TLS, whoever the server is (7.88)")
    others = [part for _ in range(99) for part in ("-o", "/dev/null", f"{url}/json")]

    said = curl(served, "/", "--parallel", "-w", "%{http_code}\n", "-o", "/dev/null", *others)

    assert said.split() == ["200"] * 100


def test_nghttp(served: tuple[str, Path]) -> None:
    said = run(program("nghttp"), "-n", "-v", f"{served[0]}/json", f"{served[0]}/mega/1")

    assert said.count(":status: 200") == 2
    assert "RST_STREAM" not in said


@pytest.mark.parametrize(
    "clients, streams, path", [(1, 100, "/"), (50, 10, "/json"), (4, 5, "/mega/1")]
)
def test_h2load(served: tuple[str, Path], clients: int, streams: int, path: str) -> None:
    count = REQUESTS // 10 if path == "/mega/1" else REQUESTS

    said = run(program("h2load"), f"-n{count}", f"-c{clients}", f"-m{streams}", served[0] + path)

    assert f"{count} succeeded, 0 failed, 0 errored, 0 timeout" in said
    assert re.search(rf"status codes: {count} 2xx", said)


def test_h2load_uploads(served: tuple[str, Path], upload: Any) -> None:
    said = run(program("h2load"), "-n500", "-c5", "-m20", "-d", upload(4096), f"{served[0]}/count")

    assert "500 succeeded, 0 failed, 0 errored" in said


def test_httpx(served: tuple[str, Path]) -> None:
    httpx = pytest.importorskip("httpx", reason="httpx is not installed")
    url, folder = served
    verify: Any = True
    if url.startswith("https"):
        verify = ssl.create_default_context(cafile=str(folder / "ca.pem"))
    with httpx.Client(http2=True, http1=False, verify=verify, timeout=LONG) as client:
        for _ in range(3):
            assert client.get(url).text == "hello over HTTP/2"
        assert len(client.get(f"{url}/mega/3").content) == 3_000_000
        assert client.post(f"{url}/count", content=bytes(1_000_000)).text == "1000000"
        assert client.head(url).status_code == 200
        assert client.post(f"{url}/deaf", content=bytes(60_000)).text == "not interested"


def test_clients_of_both_versions_at_once(served: tuple[str, Path]) -> None:
    url, folder = served
    programs = [
        [program("curl"), "-sS", "--http1.1", "--cacert", str(folder / "ca.pem")],
        [program("h2load"), "-n1000", "-c5", "-m10"],
    ]
    if url.startswith("http:"):
        del programs[0][-2:]
    programs[0] += [part for _ in range(200) for part in (url, "-o", "/dev/null")]
    programs[1].append(url)
    failed: list[int] = []

    def go(command: list[str]) -> None:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LONG, check=False)
        if done.returncode or ("h2load" in command[0] and "1000 succeeded" not in done.stdout):
            failed.append(done.returncode)

    threads = [threading.Thread(target=go, args=(each,)) for each in programs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failed == []
