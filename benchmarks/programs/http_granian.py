"""granian's WSGI server with one worker. It binds by itself: the port is one that was free."""

from granian import Granian
from granian.constants import Interfaces

from benchmarks.programs.driver import announce_port
from benchmarks.programs.http_listener import APPLICATION, listen


def main() -> None:
    with listen() as listener:
        port = listener.getsockname()[1]
    announce_port(port)
    Granian(
        APPLICATION,
        address="127.0.0.1",
        port=port,
        interface=Interfaces.WSGI,
        workers=1,
        log_enabled=False,
    ).serve()


if __name__ == "__main__":
    main()
