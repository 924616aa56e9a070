"""Compatibility name for `eventlet.greenio`: files."""

from eventlet.greenio import GreenFileIO, GreenPipe

__all__ = ["GreenFileIO", "GreenPipe"]
