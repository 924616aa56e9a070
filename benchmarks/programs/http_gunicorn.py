"""gunicorn with one worker; the parameter `gevent` chooses its worker class, else gthread."""

from benchmarks.programs.driver import arguments
from benchmarks.programs.http_listener import become

GEVENT = ("--worker-class", "gevent")
THREADS = ("--worker-class", "gthread", "--threads", "4")


def main() -> None:
    become("gunicorn", *(GEVENT if arguments()[1].get("gevent") else THREADS))


if __name__ == "__main__":
    main()
