"""Private green copies of whole packages do real work at the same time: `script package`."""

import pickle
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import eventlet
from eventlet import patcher
from eventlet.green import socket

DELAY = 0.15  # seconds the other side takes


def wait_for_the_others(what: str, asked: list[str]) -> None:
    """Take some time; return when all of a group have asked."""
    eventlet.sleep(DELAY)
    if what == "/":
        return
    asked.append(what)
    while len(set(asked)) < len(PATHS):
        eventlet.sleep(0.001)


def serve_http() -> str:
    """Start a green `http.server`; return its address."""
    asked: list[str] = []
    server: Any = patcher.import_patched("http.server")

    class Handler(server.BaseHTTPRequestHandler):  # type: ignore[misc]  # a base known at run time
        def do_GET(self) -> None:
            wait_for_the_others(self.path, asked)
            body = b'{"path": "%s"}' % self.path.encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Content-Type", "application/json; charset=utf-8")
            self.end_headers()
            with suppress(BrokenPipeError):  # who did not wait for the answer
                self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    listening = server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    eventlet.spawn(listening.serve_forever, 0.01)
    return f"http://127.0.0.1:{listening.server_address[1]}"


def serve_names() -> int:
    """Answer every question for an address with 192.0.2.1; return the port."""
    asked: list[str] = []
    messages = patcher.import_patched("dns.message")
    rrsets = patcher.import_patched("dns.rrset")
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))

    def answer(data: bytes, client: Any) -> None:
        response = messages.make_response(messages.from_wire(data))
        name = response.question[0].name
        wait_for_the_others(name.to_text(), asked)
        response.answer.append(rrsets.from_text(name, 60, "IN", "A", "192.0.2.1"))
        sock.sendto(response.to_wire(), client)

    def serve() -> None:
        while True:
            eventlet.spawn(answer, *sock.recvfrom(4096))

    eventlet.spawn(serve)
    return int(sock.getsockname()[1])


def use_requests() -> None:
    requests = patcher.import_patched("requests")
    url = serve_http()
    assert all_at_once(lambda n: requests.get(f"{url}/{n}", timeout=50).json()["path"]) == PATHS
    with requests.Session() as session:
        assert type(pickle.loads(pickle.dumps(session))) is requests.Session
        answer = session.get(url, timeout=50)
        assert answer.apparent_encoding  # by charset_normalizer, which has parts in C
    assert raises(requests.Timeout, lambda: requests.get(url, timeout=0.02))


def use_httpx() -> None:
    httpx = patcher.import_patched("httpx")
    url = serve_http()
    with httpx.Client(trust_env=False, timeout=50) as client:
        assert all_at_once(lambda n: client.get(f"{url}/{n}").json()["path"]) == PATHS
        assert raises(httpx.TimeoutException, lambda: client.get(url, timeout=0.02))


def use_urllib() -> None:
    request = patcher.import_patched("urllib.request")
    url = serve_http()

    def get(number: int) -> str:
        with request.urlopen(f"{url}/{number}", timeout=50) as answer:
            return str(answer.read().decode().split('"')[3])

    assert all_at_once(get) == PATHS


def use_dns() -> None:
    resolver_module = patcher.import_patched("dns.resolver")
    resolver = resolver_module.Resolver(configure=False)
    resolver.nameservers, resolver.port = ["127.0.0.1"], serve_names()
    resolver.timeout = resolver.lifetime = 50
    found = all_at_once(lambda n: resolver.resolve(f"name{n}.test", "A")[0].to_text())
    assert found == ["192.0.2.1"] * len(PATHS)


def raises(error: type[BaseException], call: Callable[[], object]) -> bool:
    """Make a call; tell whether it raised that error."""
    try:
        call()
    except error:
        return True
    return False


PATHS = [f"/{number}" for number in range(4)]


def all_at_once(call: Callable[[int], str]) -> list[str]:
    """Make the calls in as many green threads; none ends before all have begun."""
    return list(eventlet.GreenPool().imap(call, range(len(PATHS))))


PACKAGES: dict[str, Callable[[], None]] = {
    "requests": use_requests,
    "httpx": use_httpx,
    "urllib": use_urllib,
    "dns": use_dns,
}


def main(package: str) -> None:
    before = dict(sys.modules)
    ordinary = {name: dict(vars(module)) for name, module in before.items()}
    PACKAGES[package]()
    for name, module in before.items():
        assert sys.modules[name] is module, name
    assert "socket" in ordinary
    assert vars(sys.modules["socket"])["socket"] is ordinary["socket"]["socket"]
    assert patcher.already_patched == {}
    if package != "urllib":
        assert package not in sys.modules, "the ordinary one was loaded"
        loaded = __import__(package)
        assert loaded.__name__ == package
    print("passed")


main(sys.argv[1])
