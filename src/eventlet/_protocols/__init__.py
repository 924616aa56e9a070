"""Wire protocols: bytes in, facts or refusals out; no sockets, clocks or threads."""
