"""Green `socket`: the standard module over green sockets and a resolver that never blocks.

The module's own functions (`create_connection`, `create_server`, `fromfd` ...) are derived:
their code runs over the names below. Constants, enumerations and exceptions are the
standard module's own objects.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from socket import *
else:
    import socket as _real_module
    from types import FunctionType

    import eventlet._resolver as _resolver
    from eventlet._derive import ImportMap, derive
    from eventlet._patching.table import patched
    from eventlet.green._socket import close_when_interrupted
    from eventlet.greenio.sockets import GreenSocket

    derive(globals(), "socket", ImportMap({}))
    for _name, _value in vars(_real_module).items():
        if not _name.startswith("__") and not isinstance(_value, FunctionType):
            globals()[_name] = _value
    # Its default was taken from the copy of the sentinel that the line above replaced.
    create_connection.__defaults__ = _real_module.create_connection.__defaults__
    create_connection = close_when_interrupted(create_connection)

    socket = SocketType = GreenSocket
    timeout = TimeoutError
    for _name in _resolver.__all__:
        if hasattr(_real_module, _name):
            globals()[_name] = getattr(_resolver, _name)
    del _name, _value

    __patched__ = patched(globals())
