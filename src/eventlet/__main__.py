"""The command line: `python -m eventlet`."""

import sys

from eventlet._cli.commands import main

if __name__ == "__main__":
    status = main(sys.argv[1:])
    if status:
        sys.exit(status)
