"""The commands of `python -m eventlet`: one module each, with `add_arguments` and `main`."""
