"""What the suite tests as a client: an echo that runs all cases of a server, one by one."""

from __future__ import annotations

import sys

from eventlet.websocket import ConnectionClosedError, connect

MAX_LENGTH = 32 << 20
AGENT = "eventlet"


def run_case(url: str, number: int) -> None:
    with connect(f"{url}/runCase?case={number}&agent={AGENT}", max_frame_length=MAX_LENGTH) as ws:
        try:
            for message in ws:
                ws.send(message)
        except (ConnectionClosedError, ConnectionResetError):
            pass  # the suite judges how it ended


def main(url: str) -> None:
    with connect(f"{url}/getCaseCount") as ws:
        count = ws.wait()
    assert isinstance(count, str)
    for number in range(1, int(count) + 1):
        run_case(url, number)
    with connect(f"{url}/updateReports?agent={AGENT}") as ws:
        assert ws.wait() is None


if __name__ == "__main__":
    main(sys.argv[1])
