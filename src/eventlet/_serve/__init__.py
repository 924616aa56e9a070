"""`python -m eventlet serve`: a master process that looks after workers, which serve.

The master opens the listening sockets and forks; it never loads the application, runs no hub
and starts no threads, so that it has nothing that could go wrong in a child, and so that new
workers find new code. A worker patches, loads the application and serves it with `wsgi` on the
master's sockets.
"""
