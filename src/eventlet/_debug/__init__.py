"""The parts of `eventlet.debug`."""
