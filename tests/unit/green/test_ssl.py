"""Real TLS both ways: two green threads, or a green one and an OS thread on plain `ssl`."""

import contextlib
import errno
import os
import shutil
import socket
import ssl
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from eventlet._core.poller import READ
from eventlet.convenience import connect, listen, wrap_ssl
from eventlet.green import ssl as green_ssl
from eventlet.greenio import GreenPipe, GreenSocket
from eventlet.greenthread import sleep, spawn
from eventlet.timeout import Timeout

authority = trustme.CA()
certificate = authority.issue_cert("localhost", "127.0.0.1")


@pytest.fixture(scope="module")
def files(tmp_path_factory: Any) -> Any:
    """Return paths in PEM form: chain with key, trusted certificates."""
    folder = tmp_path_factory.mktemp("tls")
    chain, trusted = folder / "chain.pem", folder / "trusted.pem"
    certificate.private_key_and_cert_chain_pem.write_to_path(str(chain))
    authority.cert_pem.write_to_path(str(trusted))
    return str(chain), str(trusted)


def make_server_context() -> Any:
    context = green_ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


def make_client_context() -> Any:
    context = green_ssl.create_default_context()
    authority.configure_trust(context)
    return context


@pytest.fixture
def tls_listener() -> Iterator[Any]:
    with make_server_context().wrap_socket(listen(("127.0.0.1", 0)), server_side=True) as sock:
        yield sock


@pytest.fixture
def tls_pair(tls_listener: Any) -> Iterator[Any]:
    acceptor = spawn(tls_listener.accept)
    plain = connect(tls_listener.getsockname())
    server, _ = acceptor.wait()
    handshake = spawn(server.do_handshake)
    client = make_client_context().wrap_socket(plain, server_hostname="localhost")
    handshake.wait()
    yield client, server
    client.close()
    server.close()


@contextlib.contextmanager
def plain_tls_echo() -> Iterator[Any]:
    """Serve one connection with the standard `ssl` in an OS thread; answer in capitals."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with contextlib.suppress(OSError):
                plain, _ = listener.accept()
                with plain, context.wrap_socket(plain, server_side=True) as tls:
                    while data := tls.recv(1000):
                        tls.sendall(data.upper())

        worker = threading.Thread(target=serve)
        worker.start()
        try:
            yield listener.getsockname()
        finally:
            worker.join(10)


def test_talks_both_ways(tls_pair: Any) -> None:
    client, server = tls_pair
    assert isinstance(client, ssl.SSLSocket)
    assert isinstance(client, GreenSocket)
    client.sendall(b"hello")
    assert server.recv(100) == b"hello"
    server.sendall(b"good day")
    assert client.recv(100) == b"good day"


def test_talks_to_the_standard_module() -> None:
    with plain_tls_echo() as address, connect(address) as plain:
        tls = make_client_context().wrap_socket(plain, server_hostname="localhost")
        tls.sendall(b"quiet")
        assert tls.recv(100) == b"QUIET"
        tls.close()


def test_megabytes_in_both_directions_at_once(tls_pair: Any) -> None:
    client, server = tls_pair
    up, down = os.urandom(2_000_000), os.urandom(2_000_000)

    def receive(sock: Any, length: Any) -> Any:
        pieces = bytearray()
        while len(pieces) < length:
            pieces += sock.recv(65536)
        return pieces

    senders = [spawn(client.sendall, up), spawn(server.sendall, down)]
    receivers = [spawn(receive, server, len(up)), spawn(receive, client, len(down))]
    assert receivers[0].wait() == up
    assert receivers[1].wait() == down
    for sender in senders:
        sender.wait()


def beat(beats: list[None]) -> None:
    """Take five turns."""
    for _ in range(5):
        beats.append(None)
        sleep(0)


def test_waiting_reader_parks_only_itself(tls_pair: Any) -> None:
    client, server = tls_pair
    reader = spawn(server.recv, 10)
    beats: list[None] = []
    spawn(beat, beats).wait()
    assert len(beats) == 5
    client.sendall(b"x")
    assert reader.wait() == b"x"


def test_wrong_certificate_fails_the_client_and_only_this_connection(tls_listener: Any) -> None:
    server_errors = []

    def serve() -> None:
        for _ in range(2):
            server, _ = tls_listener.accept()
            try:
                server.sendall(b"welcome")
            except OSError as exc:
                server_errors.append(exc)
            finally:
                server.close()

    serving = spawn(serve)
    plain = connect(tls_listener.getsockname())
    with plain, pytest.raises(ssl.SSLCertVerificationError):
        green_ssl.create_default_context().wrap_socket(plain, server_hostname="localhost")
    with connect(tls_listener.getsockname()) as plain:
        tls = make_client_context().wrap_socket(plain, server_hostname="localhost")
        assert tls.recv(100) == b"welcome"
        tls.close()
    serving.wait()
    assert len(server_errors) == 1


def test_wrong_host_name_is_refused(tls_listener: Any) -> None:
    serving = spawn(tls_listener.accept)
    with connect(tls_listener.getsockname()) as plain:
        server, _ = serving.wait()
        handshake = spawn(_ignore_oserror, server.do_handshake)
        with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
            make_client_context().wrap_socket(plain, server_hostname="elsewhere.invalid")
        handshake.wait()
        server.close()


def _ignore_oserror(call: Any) -> None:
    with contextlib.suppress(OSError):
        call()


def test_accept_does_not_wait_for_a_silent_client(tls_listener: Any) -> None:
    silent = connect(tls_listener.getsockname())
    first, _ = tls_listener.accept()
    serving = spawn(lambda: tls_listener.accept()[0])
    with connect(tls_listener.getsockname()) as plain:
        second = serving.wait()
        answer = spawn(second.sendall, b"served")
        tls = make_client_context().wrap_socket(plain, server_hostname="localhost")
        assert tls.recv(10) == b"served"
        answer.wait()
        tls.close()
        second.close()
    first.close()
    silent.close()


ASKED: dict[str, Any] = {
    "getpeercert": None,  # the client shows no certificate
    "cipher": tuple,
    "compression": None,
    "shared_ciphers": list,
    "selected_alpn_protocol": str,
    "version": str,
    "get_channel_binding": bytes,
    "session": ssl.SSLSession,
    "session_reused": bool,
}


@pytest.mark.parametrize("ask", ASKED)
def test_what_was_agreed_on_is_known_after_accept_as_in_a_threaded_program(
    tls_listener: Any, ask: str
) -> None:
    def find() -> Any:
        found = getattr(server, ask)
        return found() if callable(found) else found

    tls_listener.context.set_alpn_protocols(["ours"])
    context = make_client_context()
    context.set_alpn_protocols(["ours"])
    serving = spawn(lambda: tls_listener.accept()[0])
    with connect(tls_listener.getsockname()) as plain:
        server = serving.wait()
        asking = spawn(find)
        tls = context.wrap_socket(plain, server_hostname="localhost")
        answer = asking.wait()
        assert server._handshake_done
        assert answer is None if ASKED[ask] is None else isinstance(answer, ASKED[ask])
        tls.close()
        server.close()


@pytest.mark.skipif(sys.version_info < (3, 13), reason="the calls are new in Python 3.13")
@pytest.mark.parametrize("ask", ["get_verified_chain", "get_unverified_chain"])
def test_the_chain_is_known_after_accept(tls_listener: Any, ask: str) -> None:
    serving = spawn(lambda: tls_listener.accept()[0])
    with connect(tls_listener.getsockname()) as plain:
        server = serving.wait()
        asking = spawn(getattr(server, ask))
        tls = make_client_context().wrap_socket(plain, server_hostname="localhost")
        assert asking.wait() == []
        assert server._handshake_done
        tls.close()
        server.close()


def test_a_client_sets_its_session(tls_listener: Any) -> None:
    context = make_client_context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    sessions: list[Any] = []
    reused: list[Any] = []
    for _ in range(2):
        serving = spawn(lambda: tls_listener.accept()[0])
        with connect(tls_listener.getsockname()) as plain:
            tls = context.wrap_socket(
                plain, server_hostname="localhost", do_handshake_on_connect=False
            )
            if sessions:
                tls.session = sessions[0]
            server = serving.wait()
            asking = spawn(lambda server=server: server.session_reused)
            tls.do_handshake()
            sessions.append(tls.session)
            reused.append((tls.session_reused, asking.wait()))
            with pytest.raises(ValueError, match="different SSLContext"):
                server.session = sessions[0]
            tls.close()
            server.close()
    assert reused == [(False, False), (True, True)]


def test_who_shakes_hands_himself_is_asked_nothing_after_accept(tls_listener: Any) -> None:
    tls_listener.do_handshake_on_connect = False
    with connect(tls_listener.getsockname()):
        server, _ = tls_listener.accept()
        with pytest.raises(ValueError, match="handshake not done yet"):
            server.getpeercert()
        assert server.cipher() is server.selected_alpn_protocol() is None
        server.close()


def test_accept_passes_over_clients_that_have_reset_their_connection(tls_listener: Any) -> None:
    reset = GreenSocket()
    reset.connect(tls_listener.getsockname())
    reset.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    reset.close()
    client = connect(tls_listener.getsockname())

    server, address = tls_listener.accept()

    assert address == client.getsockname()
    server.close()
    client.close()


def test_data_before_a_reset_is_refused_and_does_not_end_the_accept_loop(
    tls_listener: Any,
) -> None:
    with listen(("127.0.0.1", 0)) as listener:
        accepted: list[Any] = []
        for address in (listener.getsockname(), tls_listener.getsockname()):
            rude = GreenSocket()
            rude.connect(address)
            rude.sendall(b"GET / HTTP/1.0\r\n\r\n")
            if not accepted:
                accepted.append(listener.accept()[0])
            rude.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            rude.close()
        with pytest.raises(ssl.SSLError, match="before TLS handshake with data") as caught:
            make_server_context().wrap_socket(accepted[0], server_side=True)
        assert caught.value.errno == errno.ENOTCONN
        assert accepted[0].fileno() == -1

    acceptor = spawn(tls_listener.accept)
    with connect(tls_listener.getsockname()) as plain:
        server, address = acceptor.wait()
        assert address == plain.getsockname()
        server.close()


def test_first_io_from_both_sides_at_once_shakes_hands_once(tls_listener: Any) -> None:
    plain = connect(tls_listener.getsockname())
    server, _ = tls_listener.accept()
    reading = spawn(server.recv, 100)
    writing = spawn(server.sendall, b"from the writer")
    client = make_client_context().wrap_socket(plain, server_hostname="localhost")
    client.sendall(b"for the reader")
    assert reading.wait() == b"for the reader"
    assert client.recv(100) == b"from the writer"
    writing.wait()
    client.close()
    server.close()


def test_handshake_in_plain_sight_times_out(tls_listener: Any) -> None:
    silent = connect(tls_listener.getsockname())
    server, _ = tls_listener.accept()
    server.settimeout(0.02)
    with pytest.raises(TimeoutError):
        server.recv(1)
    with pytest.raises(TimeoutError):
        server.do_handshake()
    server.close()
    silent.close()


def test_recv_times_out_and_goes_on(tls_pair: Any) -> None:
    client, server = tls_pair
    server.settimeout(0.01)
    with pytest.raises(TimeoutError, match="timed out"):
        server.recv(1)
    server.settimeout(None)
    client.sendall(b"x")
    assert server.recv(1) == b"x"


def test_nonblocking_mode_lets_wants_out(tls_pair: Any) -> None:
    _, server = tls_pair
    server.setblocking(False)
    with pytest.raises(ssl.SSLWantReadError):
        server.recv(1)


def test_second_reader_is_told(tls_pair: Any) -> None:
    client, server = tls_pair
    first = spawn(server.recv, 10)
    sleep(0)
    with pytest.raises(RuntimeError, match="Second simultaneous read"):
        server.recv(10)
    client.sendall(b"x")
    assert first.wait() == b"x"


def test_closing_wakes_the_reader_with_ebadf(tls_pair: Any) -> None:
    _, server = tls_pair
    reader = spawn(server.recv, 10)
    sleep(0)
    server.close()
    with pytest.raises(OSError, match="closed") as caught:
        reader.wait()
    assert caught.value.errno == errno.EBADF


@pytest.mark.parametrize("buffer", [None, bytearray(10)])
def test_shutting_down_wakes_the_reader_with_the_end(tls_pair: Any, buffer: Any) -> None:
    _, server = tls_pair
    reader = spawn(server.read, 10, buffer)
    sleep(0)

    server.shutdown(socket.SHUT_RDWR)

    assert not reader.wait()


def test_closing_after_the_wake_of_the_reader_still_is_ebadf(tls_pair: Any) -> None:
    _, server = tls_pair
    reader = spawn(server.recv, 10)
    sleep(0)

    server._desc.announce(READ)
    server.close()

    with pytest.raises(OSError) as caught:
        reader.wait()
    assert caught.value.errno == errno.EBADF


def test_killed_reader_leaves_the_connection_usable(tls_pair: Any) -> None:
    client, server = tls_pair
    reader = spawn(server.recv, 10)
    sleep(0)
    reader.kill()
    client.sendall(b"x")
    assert server.recv(10) == b"x"


def test_timeout_interrupts_a_handshake(tls_listener: Any) -> None:
    silent = connect(tls_listener.getsockname())
    server, _ = tls_listener.accept()
    with pytest.raises(Timeout), Timeout(0.01):
        server.do_handshake()
    server.close()
    silent.close()


def test_close_notify_and_ragged_end_both_read_as_the_end(tls_pair: Any) -> None:
    client, server = tls_pair
    unwrapping = spawn(client.unwrap)
    assert server.recv(10) == b""
    server.unwrap()
    assert isinstance(unwrapping.wait(), GreenSocket)


def test_ragged_end_is_suppressed_unless_asked_otherwise(tls_pair: Any) -> None:
    client, server = tls_pair
    server.sendall(b"x")
    client.recv(1)  # and the session tickets: with them unread the end would be a reset
    client.detach_fd = client.detach()
    os.close(client.detach_fd)
    assert server.recv(10) == b""


def test_flags_are_refused_on_tls(tls_pair: Any) -> None:
    client, _ = tls_pair
    with pytest.raises(ValueError, match="flags"):
        client.send(b"x", socket.MSG_OOB)
    with pytest.raises(ValueError, match="flags"):
        client.recv(1, socket.MSG_PEEK)


def test_sendfile_over_tls(tls_pair: Any, tmp_path: Path) -> None:
    client, server = tls_pair
    path = tmp_path / "file"
    path.write_bytes(b"contents")
    with path.open("rb") as file:
        assert client.sendfile(file) == 8
    assert server.recv(100) == b"contents"


def test_makefile_over_tls(tls_pair: Any) -> None:
    client, server = tls_pair
    with client.makefile("wb") as out:
        out.write(b"line\n")
    with server.makefile("rb") as lines:
        assert lines.readline() == b"line\n"


def test_connecting_after_wrapping_shakes_hands(tls_listener: Any) -> None:
    serving = spawn(lambda: tls_listener.accept()[0])
    with make_client_context().wrap_socket(GreenSocket(), server_hostname="localhost") as client:
        shaking = spawn(lambda: serving.wait().recv(10))
        client.connect(tls_listener.getsockname())
        with pytest.raises(ValueError, match="already-connected"):
            client.connect(tls_listener.getsockname())
        client.sendall(b"x")
        assert shaking.wait() == b"x"
        serving.wait().close()


def test_connect_ex_shakes_hands_too(tls_listener: Any) -> None:
    serving = spawn(lambda: tls_listener.accept()[0])
    client = make_client_context().wrap_socket(GreenSocket(), server_hostname="localhost")
    shaking = spawn(lambda: serving.wait().recv(10))
    assert client.connect_ex(tls_listener.getsockname()) == 0
    assert client.version()
    client.sendall(b"x")
    assert shaking.wait() == b"x"
    serving.wait().close()
    client.close()


@pytest.mark.skipif(shutil.which("openssl") is None, reason="asks the openssl program for it")
def test_key_update_in_the_middle_of_a_conversation(files: Any, tls_listener: Any) -> None:
    _, trusted = files

    def echo_lines() -> None:
        with tls_listener.accept()[0] as server:
            server.sendall(b"ready\n")
            while data := server.recv(1000):
                server.sendall(data)

    serving = spawn(echo_lines)
    port = tls_listener.getsockname()[1]
    command = ["openssl", "s_client", "-CAfile", trusted, "-connect", f"127.0.0.1:{port}"]
    stdin_end, commands = os.pipe()
    answers, stdout_end = os.pipe()
    peer = subprocess.Popen(command, stdin=stdin_end, stdout=stdout_end, stderr=stdout_end)
    os.close(stdin_end)
    os.close(stdout_end)
    with GreenPipe(commands, "wb", 0) as to_peer, GreenPipe(answers, "rb") as from_peer:
        for line, answer in ((b"", b"ready\n"), (b"K\n", b"KEYUPDATE\n"), (b"after\n", b"after\n")):
            to_peer.write(line)  # "K" alone makes it send a key update and ask for one
            while from_peer.readline() != answer:
                pass
        peer.kill()
        from_peer.read()
    peer.wait()
    _ignore_oserror(serving.wait)


# -- module functions ------------------------------------------------------------------------


def test_wrap_socket_verifies_when_asked(files: Any, tls_listener: Any) -> None:
    _, trusted = files
    for ca_certs, succeeds in ((trusted, True), (None, False)):
        serving = spawn(lambda: tls_listener.accept()[0])
        plain = connect(tls_listener.getsockname())
        server = serving.wait()
        handshake = spawn(_ignore_oserror, server.do_handshake)
        if succeeds:
            wrap_ssl(plain, cert_reqs=ssl.CERT_REQUIRED, ca_certs=ca_certs).close()
        else:
            with pytest.raises(ssl.SSLCertVerificationError):
                wrap_ssl(plain, cert_reqs=ssl.CERT_REQUIRED)
            plain.close()
        handshake.wait()
        server.close()


def test_wrap_socket_serves_with_a_certificate_file(files: Any) -> None:
    chain, _ = files
    with wrap_ssl(listen(("127.0.0.1", 0)), certfile=chain, server_side=True) as listener:
        serving = spawn(lambda: listener.accept()[0])
        plain = connect(listener.getsockname())
        server = serving.wait()
        reading = spawn(server.recv, 10)
        client = wrap_ssl(plain)  # unverified unless asked
        client.sendall(b"x")
        assert reading.wait() == b"x"
        client.close()
        server.close()


def test_wrap_socket_names_what_is_missing() -> None:
    with GreenSocket() as sock:
        with pytest.raises(ValueError, match="certfile"):
            wrap_ssl(sock, server_side=True)
        with pytest.raises(FileNotFoundError):
            wrap_ssl(sock, certfile="does-not-exist.pem", server_side=True)


def test_settings_of_a_context_can_be_set_and_read() -> None:
    context = green_ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.maximum_version = ssl.TLSVersion.TLSv1_3
    context.options |= ssl.OP_NO_TICKET
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert context.maximum_version is ssl.TLSVersion.TLSv1_3
    assert context.options & ssl.OP_NO_TICKET
    assert context.verify_mode is ssl.CERT_NONE
    assert context.verify_flags & ssl.VERIFY_X509_STRICT


def test_server_certificate_can_be_fetched(tls_listener: Any) -> None:
    def serve() -> None:
        server, _ = tls_listener.accept()
        _ignore_oserror(server.do_handshake)
        server.close()

    serving = spawn(serve)
    pem = green_ssl.get_server_certificate(tls_listener.getsockname())
    assert "BEGIN CERTIFICATE" in pem
    serving.wait()


def test_constructor_is_refused() -> None:
    with pytest.raises(TypeError, match="public constructor"):
        green_ssl.SSLSocket()


def test_importing_changes_nothing_in_the_real_module(run_isolated: Any) -> None:
    run_isolated(
        """
import socket, ssl
before = dict(vars(ssl)), dict(vars(socket))
import eventlet.green.ssl, eventlet.green.socket
assert before == (dict(vars(ssl)), dict(vars(socket)))
"""
    )


def test_works_when_the_real_module_names_ours(run_isolated: Any, files: Any) -> None:
    """What `monkey_patch` does to `ssl` must not make its setters or `_create` recurse."""
    chain, trusted = files
    run_isolated(
        """
import sys, ssl, socket
import eventlet.green.ssl as green_ssl, eventlet.green.socket as green_socket
from eventlet.greenthread import spawn
from eventlet.convenience import listen
for name in ("SSLSocket", "SSLContext", "create_default_context"):
    setattr(ssl, name, getattr(green_ssl, name))
socket.socket = green_socket.socket
server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
server_context.minimum_version = ssl.TLSVersion.TLSv1_2
server_context.options |= ssl.OP_NO_COMPRESSION
server_context.load_cert_chain(sys.argv[1])
client_context = ssl.create_default_context(cafile=sys.argv[2])
listener = server_context.wrap_socket(listen(("127.0.0.1", 0)), server_side=True)
serving = spawn(lambda: listener.accept()[0].recv(10))
sock = socket.socket()
sock.connect(listener.getsockname())
with client_context.wrap_socket(sock, server_hostname="localhost") as client:
    client.sendall(b"x")
    assert serving.wait() == b"x"
listener.close()
""",
        chain,
        trusted,
    )
