"""TLS contexts and their class, taken before patching: `from ssl import SSLContext`."""

from __future__ import annotations

from pathlib import Path

import pytest
import trustme

from tests.conftest import RunIsolated


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    """Write a server's key with its chain, and the authority's certificate."""
    authority = trustme.CA(key_type=trustme.KeyType.ECDSA)
    server, trusted = tmp_path / "server.pem", tmp_path / "ca.pem"
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(server)
    authority.cert_pem.write_to_path(trusted)
    return str(server), str(trusted)


def test_contexts_and_classes_from_before_are_green_afterwards(
    run_isolated: RunIsolated, files: tuple[str, str]
) -> None:
    run_isolated(
        """
        import socket, ssl, sys, threading
        from ssl import PROTOCOL_TLS_CLIENT, SSLContext, TLSVersion, create_default_context

        class Own(SSLContext):
            pass

        server = SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.load_cert_chain(sys.argv[1])
        early = create_default_context(cafile=sys.argv[2])

        import eventlet
        eventlet.monkey_patch()

        contexts = [early, create_default_context(cafile=sys.argv[2]),
                    ssl.create_default_context(cafile=sys.argv[2])]
        for kind in (SSLContext, Own, ssl.SSLContext):
            late = kind(PROTOCOL_TLS_CLIENT)
            late.minimum_version = TLSVersion.TLSv1_2
            late.options |= ssl.OP_NO_COMPRESSION
            late.verify_mode = ssl.CERT_REQUIRED
            late.load_verify_locations(sys.argv[2])
            assert isinstance(late, ssl.SSLContext)
            contexts.append(late)
        listener = socket.create_server(("127.0.0.1", 0))
        for context in contexts:
            def serve():
                with server.wrap_socket(listener.accept()[0], server_side=True) as conn:
                    conn.sendall(conn.recv(10) * 2)
            serving = threading.Thread(target=serve)
            serving.start()
            with socket.create_connection(listener.getsockname()) as plain:
                with context.wrap_socket(plain, server_hostname="localhost") as tls:
                    assert isinstance(tls, eventlet.green.ssl.GreenSSLSocket)
                    tls.sendall(b"hello")
                    assert tls.recv(20) == b"hellohello"
            serving.join()
        listener.close()

        from eventlet import patcher
        patcher.unpatch()
        assert SSLContext.sslsocket_class is ssl.SSLSocket
        """,
        *files,
    )
