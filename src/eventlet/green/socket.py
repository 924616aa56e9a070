"""Green `socket`: the standard module over green sockets and a resolver that never blocks.

The module's own functions (`create_server`, `fromfd`, `getfqdn` ...) are derived: their code
runs over the names below. Constants, enumerations and exceptions are the
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
    from eventlet._names.default import load_default
    from eventlet._patching.table import patched
    from eventlet.green._socket import make_create_connection
    from eventlet.greenio.sockets import GreenSocket

    derive(globals(), "socket", ImportMap({}))
    for _name, _value in vars(_real_module).items():
        if not _name.startswith("__") and not isinstance(_value, FunctionType):
            globals()[_name] = _value
    create_connection = make_create_connection(globals())

    socket = SocketType = GreenSocket
    timeout = TimeoutError
    for _name in _resolver.__all__:
        if hasattr(_real_module, _name):
            globals()[_name] = getattr(_resolver, _name)
    del _name, _value
    _resolver.plug_in(load_default)

    __patched__ = patched(globals())
