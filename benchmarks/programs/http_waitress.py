"""waitress with its default of four threads."""

import waitress

from benchmarks.programs.driver import announce_port
from benchmarks.programs.http_application import application
from benchmarks.programs.http_listener import listen


def main() -> None:
    listener = listen()
    announce_port(listener.getsockname()[1])
    waitress.create_server(application, sockets=[listener]).run()


if __name__ == "__main__":
    main()
