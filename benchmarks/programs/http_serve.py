"""Our command line with one worker, on a listener that it inherits."""

from benchmarks.programs.http_listener import become

if __name__ == "__main__":
    become("eventlet", "serve", "--access-log", "none")
