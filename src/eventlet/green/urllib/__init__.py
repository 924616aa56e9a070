"""Green `urllib`: the package of the green URL modules."""

from eventlet.green import ftplib, socket, time
from eventlet.green.http import client as httplib

__all__ = ["ftplib", "httplib", "socket", "time"]
