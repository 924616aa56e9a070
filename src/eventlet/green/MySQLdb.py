"""Green `MySQLdb`: its calls wait in C, so those of a connection are made in OS threads.

How many at a time is a matter of `tpool.set_num_threads`, or EVENTLET_THREADPOOL_SIZE.
"""

from typing import TYPE_CHECKING, Any

import MySQLdb as _MySQLdb
from MySQLdb import connections as _connections
from MySQLdb import converters, cursors

from eventlet._derive import Facade
from eventlet._patching.table import patched
from eventlet.tpool import Proxy, execute

if TYPE_CHECKING:
    from MySQLdb import *

    def __getattr__(name: str) -> Any: ...
else:
    for _name, _value in vars(_MySQLdb).items():
        if not _name.startswith("__"):
            globals()[_name] = _value
    del _name, _value

__all__ = ["Connect", "Connection", "connect", "connections", "converters", "cursors"]
__all__ += [name for name in _MySQLdb.__all__ if name not in __all__]


def Connection(*args: Any, **kwargs: Any) -> Any:  # noqa: N802 - the name of MySQLdb
    """Connect in an OS thread; return a proxy whose calls, and its cursors', are made there.

    The arguments are those of `MySQLdb.connect`.
    """
    made = execute(_connections.Connection, *args, **kwargs)
    return Proxy(made, autowrap_names=("cursor",))


connect = Connect = Connection

connections = Facade(_connections, Connection=Connection)

__patched__ = patched(globals())
