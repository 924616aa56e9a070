"""bjoern, a WSGI server in C over libev."""

import bjoern

from benchmarks.programs.driver import announce_port
from benchmarks.programs.http_application import application
from benchmarks.programs.http_listener import listen


def main() -> None:
    listener = listen()
    announce_port(listener.getsockname()[1])
    bjoern.server_run(listener, application)


if __name__ == "__main__":
    main()
