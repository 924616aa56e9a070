"""Green `xmlrpc`: the package of the green XML-RPC modules."""
