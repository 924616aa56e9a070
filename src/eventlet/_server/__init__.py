"""The WSGI server behind `eventlet.wsgi`: one green thread a connection.

`listener` accepts and stops, `connection` serves one socket, `request_stream` cuts its bytes
into heads and bodies, `request_body` is `wsgi.input`, `environ` and `response` speak PEP 3333,
`access_log` writes what happened.
"""
