"""HTTP/2 for `eventlet.wsgi`: streams as green threads, over the library `h2`.

`frames` and `allowance` see what comes before `h2` does and bound what a client can make us do;
`request_head` judges requests as HTTP/1.1's are judged; `connection` reads, `outbox` writes, and
each `stream` has a green thread that answers one request through the code of `_server`. The
library is installed by the extra `http2`: only `connection`, which `extra` loads where HTTP/2 is
asked for, needs it.
"""
