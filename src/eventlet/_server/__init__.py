"""The WSGI server behind `eventlet.wsgi`: one green thread a connection.

`listener` accepts and stops. `connection` serves one socket: `request_stream` cuts its bytes
into heads and bodies. `http_protocol` serves one line by line, the way a subclass wants it.
`answering` is what both do with a request: `request_body` is `wsgi.input`, `environ`, `response`
and `file_wrapper` speak PEP 3333, `access_log` writes what happened. `limits` says what a client
may take, `patience` how long we wait for it.
"""
