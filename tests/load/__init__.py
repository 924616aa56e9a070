"""A server under load and in trouble, in a process of its own; `make load` makes the runs."""
