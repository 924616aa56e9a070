"""How asyncio loops and the hub share an OS thread. The public face is `eventlet.asyncio`."""
