"""The real feedparser through `import_patched`: green all through, nobody else affected."""

import sys

from eventlet import patcher
from eventlet.green import threading
from eventlet.green.http import server
from eventlet.greenpool import GreenPool
from eventlet.greenthread import sleep
from eventlet.timeout import Timeout

FEEDS = 20
FEED = "<rss version='2.0'><channel><title>caf\u00e9 {}</title></channel></rss>"


class Site(server.BaseHTTPRequestHandler):
    in_hand = 0

    def do_GET(self) -> None:
        Site.in_hand += 1  # nobody is answered before all have asked
        while Site.in_hand < FEEDS:
            sleep(0.005)
        body = FEED.format(self.path).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/rss+xml; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


class Server(server.ThreadingHTTPServer):
    request_queue_size = 50


with Server(("127.0.0.1", 0), Site) as site:
    serving = threading.Thread(target=site.serve_forever)
    serving.start()
    before = dict(sys.modules)
    feedparser = patcher.import_patched("feedparser")
    assert all(sys.modules[name] is module for name, module in before.items())
    assert "feedparser" not in sys.modules
    assert "feedparser.api" not in sys.modules
    assert feedparser.__name__ == "__patched_module_feedparser"
    assert feedparser.http.urllib.request.__name__ == "eventlet.green.urllib.request"

    def title(number: int) -> str:
        found = feedparser.parse(f"http://127.0.0.1:{site.server_port}/{number}")
        return str(found.feed.title)

    with Timeout(45):
        titles = list(GreenPool().imap(title, range(FEEDS)))
    assert titles == [f"caf\u00e9 /{number}" for number in range(FEEDS)], titles
    site.shutdown()
    serving.join()

import feedparser as ordinary

assert ordinary is not feedparser
assert ordinary.http.urllib.request is sys.modules["urllib.request"]
assert patcher.import_patched("feedparser") is feedparser
print("passed")
