"""cheroot with its default of ten threads, and room for every connection to stay."""

from cheroot import wsgi

from benchmarks.programs.driver import announce_port, arguments
from benchmarks.programs.http_application import application
from benchmarks.programs.http_listener import BACKLOG


def main() -> None:
    server = wsgi.Server(("127.0.0.1", 0), application, request_queue_size=BACKLOG)
    # Its own default of ten would close the connections of all the others.
    server.keep_alive_conn_limit = 2 * arguments()[1]["connections"]
    server.prepare()
    announce_port(server.bind_addr[1])
    server.serve()


if __name__ == "__main__":
    main()
