"""An HTTPS server in a process of its own: slow answers, echoes, and a little of S3."""

from __future__ import annotations

import hashlib
import ssl
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from tests.libraries.crew import DELAY

STORED: dict[str, bytes] = {}


class Handler(BaseHTTPRequestHandler):
    """Answers: /slow, /big?size=N, /never; POST anywhere is echoed; the rest is S3."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = parse_qs(url.query)
        if url.path == "/slow":
            time.sleep(DELAY)
            self.answer(b"slow")
        elif url.path == "/never":
            time.sleep(5)
            self.answer(b"late")
        elif url.path == "/big":
            self.answer(b"x" * int(query["size"][0]))
        elif "list-type" in query:
            self.answer(listing(url.path.strip("/")), kind="application/xml")
        elif url.path in STORED:
            time.sleep(DELAY)
            self.answer(STORED[url.path])
        else:
            self.answer(b"<Error><Code>NoSuchKey</Code></Error>", 404, "application/xml")

    def do_POST(self) -> None:
        self.answer(self.body())

    def do_PUT(self) -> None:
        body = self.body()
        time.sleep(DELAY)
        STORED[self.path.partition("?")[0]] = body
        self.answer(b"", etag=hashlib.md5(body).hexdigest())

    def body(self) -> bytes:
        if self.headers.get("Expect", "").lower() == "100-continue":
            pass  # the base class has answered that
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def answer(
        self, body: bytes, status: int = 200, kind: str = "text/plain", etag: str = ""
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if etag:
            self.send_header("ETag", f'"{etag}"')
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


def listing(bucket: str) -> bytes:
    keys = sorted(path for path in STORED if path.startswith(f"/{bucket}/"))
    contents = "".join(
        f"<Contents><Key>{key.removeprefix(f'/{bucket}/')}</Key>"
        f"<Size>{len(STORED[key])}</Size></Contents>"
        for key in keys
    )
    return (
        f'<?xml version="1.0"?><ListBucketResult><Name>{bucket}</Name>'
        f"<KeyCount>{len(keys)}</KeyCount><IsTruncated>false</IsTruncated>"
        f"{contents}</ListBucketResult>"
    ).encode()


class Server(ThreadingHTTPServer):
    """Many clients at once, none of whom is shaken hands with in the accepting thread."""

    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        pass  # clients that go away are part of the tests


def main() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[1])
    server = Server(("127.0.0.1", 0), Handler)
    port = server.server_address[1]
    server.socket = context.wrap_socket(
        server.socket, server_side=True, do_handshake_on_connect=False
    )
    print(port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
