"""What the HTTP cases ask for: each request as it is sent, and the body that has to come back."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from benchmarks.programs import http_content

__all__ = ["EXCHANGES", "Exchange"]

# What a current desktop browser sends with a page of its own origin.
BROWSER_HEADERS = {
    "User-Agent": (
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
        "Chrome/140.0.0.0 Safari/537.36"
    ),
    "Accept": "application/json,text/html;q=0.9,image/avif,image/webp,*/*;q=0.8",
    "Accept-Language": "en-GB,en;q=0.9,de;q=0.8",
    "Accept-Encoding": "gzip, deflate, br, zstd",
    "Referer": "https://shop.example/catalogue/shoes?page=3&sort=price",
    "Cookie": "session=6f1c0b9d2e7a4b58a3d1; theme=dark; consent=1; basket=4f8e2c71-93ab",
    "Sec-Fetch-Dest": "empty",
    "Sec-Fetch-Mode": "cors",
    "Sec-Fetch-Site": "same-origin",
    "sec-ch-ua": '"Chromium";v="140", "Not=A?Brand";v="24"',
    "sec-ch-ua-mobile": "?0",
    "sec-ch-ua-platform": '"Linux"',
    "DNT": "1",
    "Connection": "keep-alive",
}


@dataclass(frozen=True)
class Exchange:
    """One request and the body of its answer.

    Args:
        method: of the request.
        path: of the request.
        answer: the body that has to come back.
        headers: beside Host and Content-Length.
        body: of the request.
    """

    method: str
    path: str
    answer: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def rendered(self, port: int) -> bytes:
        """Return the request as it goes over the wire."""
        lines = [f"{self.method} {self.path} HTTP/1.1", f"Host: 127.0.0.1:{port}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        if self.body:
            lines.append(f"Content-Length: {len(self.body)}")
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + self.body


_HELLO = Exchange("GET", http_content.HELLO_PATH, http_content.HELLO)
_JSON = Exchange("GET", http_content.JSON_PATH, http_content.JSON, BROWSER_HEADERS)
_POST = Exchange(
    "POST",
    http_content.POST_PATH,
    http_content.RECEIPT,
    {**BROWSER_HEADERS, "Content-Type": "application/json", "Origin": "https://shop.example"},
    b"x" * http_content.POST_BYTES,
)
_DOWNLOAD = Exchange("GET", http_content.DOWNLOAD_PATH, http_content.DOWNLOAD, BROWSER_HEADERS)

# Of twenty requests of the mix, one is the download: it alone weighs as much as the others.
EXCHANGES: Mapping[str, tuple[Exchange, ...]] = {
    "hello": (_HELLO,),
    "json": (_JSON,),
    "post": (_POST,),
    "download": (_DOWNLOAD,),
    "mix": (*(_JSON, _POST, _JSON) * 6, _JSON, _DOWNLOAD),
}
"""Case name inside the programs -> its requests, in the order in which they are sent."""
