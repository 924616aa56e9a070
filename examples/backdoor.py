"""Look into a running program, and change it, from `telnet 127.0.0.1 3000`.

The program counts. In the console try `program.count`, `program.step = 10`, or
`from eventlet.hubs import get_hub; get_hub().threads`. Whoever can connect can run anything
here, so it listens on 127.0.0.1 and nowhere else.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

import eventlet
from eventlet import backdoor


@dataclass
class Program:
    """What the console looks into."""

    count: int = 0
    step: int = 1

    def run(self, interval: float) -> None:
        """Count for ever."""
        while True:
            self.count += self.step
            eventlet.sleep(interval)


def main(argv: Sequence[str] | None = None) -> int:
    """Count until Ctrl-C, with a console beside it."""
    options = build_parser().parse_args(argv)
    program = Program()
    listener = eventlet.listen(("127.0.0.1", options.port))
    print(f"listening on 127.0.0.1:{listener.getsockname()[1]}", flush=True)
    eventlet.spawn(backdoor.backdoor_server, listener, {"program": program})
    try:
        program.run(options.interval)
    except KeyboardInterrupt:
        print(f"stopped at {program.count}", flush=True)
    return 0


def build_parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(description="A program with a console.")
    parser.add_argument(
        "--port", type=int, default=3000, help="0 lets the kernel choose (default: %(default)s)"
    )
    parser.add_argument("--interval", type=float, default=1.0, help="seconds between two counts")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
