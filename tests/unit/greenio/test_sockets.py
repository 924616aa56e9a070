"""Green sockets over real ones: who waits, who is woken, and what each error is."""

import asyncio
import errno
import gc
import io
import os
import socket
import ssl
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from eventlet._core.current import get_hub
from eventlet.greenio import GreenSocket, shutdown_safe
from eventlet.greenthread import sleep, spawn
from eventlet.hubs import IOClosed, notify_opened


def make_pair(family: Any = socket.AF_INET) -> Any:
    """Return two connected green sockets, over TCP or a unix stream."""
    if family == socket.AF_UNIX:
        return tuple(GreenSocket(plain) for plain in socket.socketpair())
    with GreenSocket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        client = GreenSocket()
        client.connect(listener.getsockname())
        server, _ = listener.accept()
    return client, server


@pytest.fixture(params=[socket.AF_INET, socket.AF_UNIX], ids=["tcp", "unix"])
def pair(request: pytest.FixtureRequest) -> Iterator[Any]:
    ends = make_pair(request.param)
    yield ends
    for end in ends:
        end.close()


@pytest.fixture
def tcp_pair() -> Iterator[Any]:
    ends = make_pair()
    yield ends
    for end in ends:
        end.close()


def fill(sock: Any) -> Any:
    """Send until the kernel takes no more."""
    sock.setblocking(False)
    sent = 0
    try:
        while True:
            sent += sock.send(b"x" * 65536)
    except BlockingIOError:
        sock.setblocking(True)
    return sent


def reset(sock: Any) -> None:
    """Close with a RST instead of a FIN."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


# -- waiting -----------------------------------------------------------------------------


def beat(beats: list[None]) -> None:
    """Take five turns."""
    for _ in range(5):
        beats.append(None)
        sleep(0)


def test_recv_parks_only_its_own_green_thread(pair: Any) -> None:
    client, server = pair
    beats: list[None] = []
    reader = spawn(server.recv, 10)
    ticker = spawn(beat, beats)
    ticker.wait()
    assert len(beats) == 5
    client.sendall(b"late")
    assert reader.wait() == b"late"


def test_every_byte_arrives_in_order_through_full_buffers(pair: Any) -> None:
    client, server = pair
    data = os.urandom(3_000_000)
    sender = spawn(lambda: (client.sendall(data), client.shutdown(socket.SHUT_WR)))
    received = bytearray()
    while piece := server.recv(50_000):
        received += piece
    sender.wait()
    assert received == data


def test_data_and_fin_in_one_event_are_both_seen(tcp_pair: Any) -> None:
    client, server = tcp_pair
    reader = spawn(lambda: [server.recv(100), server.recv(100)])
    sleep(0)
    client.sendall(b"last words")
    client.close()
    assert reader.wait() == [b"last words", b""]


def test_fin_that_follows_a_short_read_is_seen(tcp_pair: Any) -> None:
    client, server = tcp_pair
    client.sendall(b"ab")
    assert server.recv(100) == b"ab"
    client.shutdown(socket.SHUT_WR)
    assert server.recv(100) == b""


def test_short_read_of_urgent_data_does_not_hide_what_follows(tcp_pair: Any) -> None:
    client, server = tcp_pair
    client.sendall(b"before")
    client.send(b"!", socket.MSG_OOB)
    client.sendall(b"after")
    client.shutdown(socket.SHUT_WR)
    received = b""
    while piece := server.recv(100):
        received += piece
    assert received == b"beforeafter"


def test_unix_stream_stops_at_ancillary_data_and_goes_on() -> None:
    left, right = make_pair(socket.AF_UNIX)
    with left, right, open(os.devnull) as something:
        socket.send_fds(left, [b"one"], [something.fileno()])
        left.sendall(b"two")
        data, fds, _, _ = socket.recv_fds(right, 100, 1)
        assert data == b"one"
        assert right.recv(100) == b"two"
        os.close(fds[0])


def test_rcvlowat_does_not_lose_what_is_below_the_mark(tcp_pair: Any) -> None:
    client, server = tcp_pair
    server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 4)
    client.sendall(b"abcdef")
    assert server.recv(4) == b"abcd"
    assert server.recv(4) == b"ef"


def test_peeking_takes_nothing(tcp_pair: Any) -> None:
    client, server = tcp_pair
    client.sendall(b"abc")
    assert server.recv(10, socket.MSG_PEEK) == b"abc"
    assert server.recv(10) == b"abc"


def test_recv_of_nothing_waits_and_can_time_out(tcp_pair: Any) -> None:
    client, server = tcp_pair
    server.settimeout(0.01)
    with pytest.raises(TimeoutError):
        server.recv(0)
    client.sendall(b"x")
    assert server.recv(0) == b""
    assert server.recv(5) == b"x"


def test_dont_wait_surfaces_the_error(tcp_pair: Any) -> None:
    _, server = tcp_pair
    with pytest.raises(BlockingIOError):
        server.recv(1, socket.MSG_DONTWAIT)


# -- errors, each in the thread that asked -----------------------------------------------------


def test_refused_connection_says_so() -> None:
    with GreenSocket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = unused.getsockname()
        with GreenSocket() as client:
            with pytest.raises(ConnectionRefusedError) as caught:
                client.connect(address)
            assert caught.value.strerror == os.strerror(errno.ECONNREFUSED)
        with GreenSocket() as client:
            assert client.connect_ex(address) == errno.ECONNREFUSED


def test_unresolvable_name_is_a_gaierror() -> None:
    with GreenSocket() as client, pytest.raises(socket.gaierror):
        client.connect(("does-not-exist.invalid", 80))


def test_reset_is_an_error_and_not_an_end_of_stream(tcp_pair: Any) -> None:
    client, server = tcp_pair
    reader = spawn(server.recv, 10)
    sleep(0)
    reset(client)
    with pytest.raises(ConnectionResetError):
        reader.wait()


def test_half_closed_connection_still_answers(tcp_pair: Any) -> None:
    client, server = tcp_pair
    client.sendall(b"question")
    client.shutdown(socket.SHUT_WR)
    assert server.recv(100) == b"question"
    assert server.recv(100) == b""
    server.sendall(b"answer")
    assert client.recv(100) == b"answer"


def test_sending_to_a_closed_peer_breaks_the_pipe(tcp_pair: Any) -> None:
    client, server = tcp_pair
    server.close()
    with pytest.raises((BrokenPipeError, ConnectionResetError)):
        client.sendall(b"x" * 100_000_000)


def test_recv_on_an_unconnected_socket_raises_enotconn() -> None:
    with GreenSocket() as alone, pytest.raises(OSError, match="not connected") as caught:
        alone.recv(1)
    assert caught.value.errno == errno.ENOTCONN


def test_closing_wakes_the_reader_with_ebadf(pair: Any) -> None:
    _, server = pair
    reader = spawn(server.recv, 10)
    sleep(0)
    server.close()
    with pytest.raises(OSError, match="descriptor") as caught:
        reader.wait()
    assert caught.value.errno == errno.EBADF


def test_closing_wakes_the_writer_with_ebadf(pair: Any) -> None:
    _, server = pair
    fill(server)
    writer = spawn(server.sendall, b"more")
    sleep(0)
    server.close()
    with pytest.raises(OSError) as caught:
        writer.wait()
    assert caught.value.errno == errno.EBADF


def test_closing_wakes_accept_with_ebadf() -> None:
    listener = GreenSocket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    acceptor = spawn(listener.accept)
    sleep(0)
    listener.close()
    with pytest.raises(OSError) as caught:
        acceptor.wait()
    assert caught.value.errno == errno.EBADF


def test_shutdown_wakes_the_reader_with_nothing(tcp_pair: Any) -> None:
    _, server = tcp_pair
    reader = spawn(server.recv, 10)
    sleep(0)
    server.shutdown(socket.SHUT_RDWR)
    assert reader.wait() == b""


def test_second_reader_is_told_and_the_first_goes_on(tcp_pair: Any) -> None:
    client, server = tcp_pair
    first = spawn(server.recv, 10)
    sleep(0)
    with pytest.raises(RuntimeError, match="Second simultaneous read"):
        server.recv(10)
    client.sendall(b"for the first")
    assert first.wait() == b"for the fi"


def test_reader_and_writer_at_once_are_normal(tcp_pair: Any) -> None:
    client, server = tcp_pair
    reader = spawn(server.recv, 10)
    sent = fill(server)
    writer = spawn(server.sendall, b"tail")
    sleep(0)
    client.sendall(b"hi")
    assert reader.wait() == b"hi"
    left = sent + 4
    while left:
        left -= len(client.recv(min(left, 65536)))
    writer.wait()


def test_killed_reader_leaves_the_socket_usable(tcp_pair: Any) -> None:
    client, server = tcp_pair
    reader = spawn(server.recv, 10)
    sleep(0)
    reader.kill()
    client.sendall(b"next")
    assert server.recv(10) == b"next"


def test_number_reused_after_a_foreign_close_does_not_feed_the_old_reader() -> None:
    old, other = make_pair()
    reader = spawn(old.recv, 10)
    sleep(0)
    number = old.fileno()
    plain = socket.socket()
    os.dup2(plain.fileno(), number)  # closes the old file behind our back
    plain.close()
    fresh = GreenSocket(fileno=number)
    try:
        with pytest.raises(EOFError):
            reader.wait()
        with pytest.raises(EOFError):
            old.recv(10)
        old.close()
        assert os.fstat(number)  # closing the old object must not close the new file
    finally:
        fresh.close()
        other.close()


def test_accept_on_a_number_that_names_another_file_raises_io_closed() -> None:
    listener = GreenSocket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    acceptor = spawn(pytest.raises, IOClosed, listener.accept)
    sleep(0)

    notify_opened(listener.fileno())

    assert acceptor.wait().value.errno == errno.ENOTCONN
    with pytest.raises(IOClosed):
        listener.accept()
    os.close(listener.detach())  # its `close` would not: the number is not its own any more


def test_close_with_a_dup_alive_elsewhere_wakes_nobody_later() -> None:
    left, right = make_pair()
    duplicate = os.dup(left.fileno())
    reader = spawn(left.recv, 10)
    sleep(0)
    left.close()
    with pytest.raises(OSError, match="closed"):
        reader.wait()
    right.sendall(b"to the dup")
    sleep(0.01)
    os.close(duplicate)
    right.close()


# -- time-outs ---------------------------------------------------------------------------------


def test_timeout_raises_timeout_error(tcp_pair: Any) -> None:
    _, server = tcp_pair
    server.settimeout(0.01)
    with pytest.raises(TimeoutError, match="timed out"):
        server.recv(1)
    assert get_hub().timers.next_deadline() is None


def test_sendall_timeout_is_total(tcp_pair: Any) -> None:
    client, server = tcp_pair
    server.settimeout(0.3)
    stop: list[bool] = []

    def drip() -> None:
        while not stop:
            client.recv(40_000)
            sleep(0.02)

    reader = spawn(drip)
    started = time.monotonic()
    with pytest.raises(TimeoutError):
        server.sendall(b"x" * 100_000_000)
    assert time.monotonic() - started < 20
    stop.append(True)
    reader.kill()


def test_accept_times_out() -> None:
    with GreenSocket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.settimeout(0.01)
        with pytest.raises(TimeoutError):
            listener.accept()


@pytest.mark.parametrize(("value", "error"), [(-1, ValueError), ("1", TypeError)])
def test_bad_timeouts_are_refused(value: Any, error: Any) -> None:
    with GreenSocket() as sock, pytest.raises(error, match="imeout"):
        sock.settimeout(value)


def test_nonblocking_mode_and_back(tcp_pair: Any) -> None:
    client, server = tcp_pair
    server.settimeout(0)
    assert server.act_non_blocking
    assert not server.getblocking()
    with pytest.raises(BlockingIOError):
        server.recv(1)
    server.settimeout(30)
    assert server.timeout == server.gettimeout() == 30.0
    spawn(client.sendall, b"x")
    assert server.recv(1) == b"x"


def test_nonblocking_accept_gives_a_green_socket() -> None:
    with GreenSocket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        client = GreenSocket()
        client.connect(listener.getsockname())
        listener.setblocking(False)
        server, _ = listener.accept()
        assert type(server) is GreenSocket
        client.close()
        server.close()


def test_default_timeout_is_inherited() -> None:
    socket.setdefaulttimeout(3.5)
    try:
        with GreenSocket() as sock:
            assert sock.gettimeout() == 3.5
    finally:
        socket.setdefaulttimeout(None)


# -- the whole interface -----------------------------------------------------------------------


def test_recv_into_recvfrom_and_their_like(tcp_pair: Any) -> None:
    client, server = tcp_pair
    client.sendall(b"abcdefghi")
    buffer = bytearray(3)
    assert server.recv_into(buffer) == 3
    assert bytes(buffer) == b"abc"
    assert server.recv_into(buffer, 2) == 2
    assert server.recvfrom(1)[0] == b"f"
    assert server.recvfrom_into(buffer, 1)[0] == 1
    assert server.recvmsg(1)[0] == b"h"
    assert server.recvmsg_into([buffer])[0] == 1


def test_datagrams_wait_and_carry_addresses() -> None:
    with GreenSocket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind(("127.0.0.1", 0))
        with GreenSocket(socket.AF_INET, socket.SOCK_DGRAM) as two:
            reader = spawn(one.recvfrom, 100)
            sleep(0)
            two.bind(("127.0.0.1", 0))
            two.sendto(b"hello", ("localhost", one.getsockname()[1]))
            assert reader.wait() == (b"hello", two.getsockname())
            two.sendto(b"flags", 0, one.getsockname())
            two.sendmsg([b"mes", b"sage"], [], 0, one.getsockname())
            assert one.recv(100) == b"flags"
            assert one.recv(3) == b"mes"


def test_wrong_number_of_sendto_arguments_is_a_type_error() -> None:
    with GreenSocket(socket.AF_INET, socket.SOCK_DGRAM) as sock, pytest.raises(TypeError):
        sock.sendto(b"x")


def test_sendall_counts_bytes_of_wide_memoryviews(tcp_pair: Any) -> None:
    client, server = tcp_pair
    wide = memoryview(bytearray(range(64))).cast("I")
    client.sendall(wide)
    client.close()
    received = b""
    while piece := server.recv(100):
        received += piece
    assert received == bytes(range(64))


def test_makefile_and_socket_close_independently(tcp_pair: Any) -> None:
    client, server = tcp_pair
    file = server.makefile("rwb")
    server.close()
    client.sendall(b"line\n")
    assert file.readline() == b"line\n"
    file.write(b"answer")
    file.flush()
    file.close()
    assert client.recv(100) == b"answer"
    assert client.recv(100) == b""


def test_makefile_goes_by_its_old_name_too(pair: Any) -> None:
    left, right = pair
    left.sendall(b"line\n")

    with right.makeGreenFile("rb") as file:
        assert file.readline() == b"line\n"


def test_overridden_send_is_honoured_by_makefile_and_sendall(tcp_pair: Any) -> None:
    client, server = tcp_pair
    calls = []

    def send_a_little(data: Any, flags: Any = 0) -> Any:
        calls.append(len(data))
        return GreenSocket.send(client, bytes(data[:3]), flags)

    client.send = send_a_little
    client.sendall(b"12345")
    with client.makefile("wb") as file:
        file.write(b"6789")
    assert calls[0] == 5
    received = b""
    while len(received) < 9:
        received += server.recv(100)
    assert received == b"123456789"


def test_sendfile_sends_a_file_and_moves_its_position(tcp_pair: Any, tmp_path: Path) -> None:
    client, server = tcp_pair
    path = tmp_path / "data"
    path.write_bytes(os.urandom(2_000_000))
    with path.open("rb") as file:
        sender = spawn(client.sendfile, file, 10)
        received = bytearray()
        while len(received) < 2_000_000 - 10:
            received += server.recv(100_000)
        assert sender.wait() == 2_000_000 - 10
        assert file.tell() == 2_000_000
    assert received == path.read_bytes()[10:]


def test_sendfile_of_a_memory_file_uses_send(tcp_pair: Any) -> None:
    client, server = tcp_pair
    assert client.sendfile(io.BytesIO(b"0123456789"), 2, 5) == 5
    assert server.recv(100) == b"23456"


def test_sendfile_refuses_text_files(tcp_pair: Any, tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_text("x")
    with path.open() as file, pytest.raises(ValueError, match="binary"):
        tcp_pair[0].sendfile(file)


def test_dup_is_green_and_keeps_the_timeout(tcp_pair: Any) -> None:
    client, server = tcp_pair
    server.settimeout(3)
    with server.dup() as copy:
        assert type(copy) is GreenSocket
        assert copy.gettimeout() == 3
        client.sendall(b"x")
        assert copy.recv(1) == b"x"


def test_detach_gives_the_number_away_unclosed(tcp_pair: Any) -> None:
    _, server = tcp_pair
    reader = spawn(server.recv, 1)
    sleep(0)
    number = server.detach()
    with pytest.raises(OSError, match="closed"):
        reader.wait()
    assert server.fileno() == -1
    os.close(number)


def test_accept_keeps_the_subclass() -> None:
    class Special(GreenSocket):
        pass

    with Special() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        with GreenSocket() as client:
            client.connect(listener.getsockname())
            server, address = listener.accept()
            assert type(server) is Special
            assert address == client.getsockname()
            client.sendall(b"x")
            assert server.recv(1) == b"x"
            server.close()


def test_wrapping_shares_the_descriptor_and_closes_it_once(tcp_pair: Any) -> None:
    client, _ = tcp_pair
    left, right = socket.socketpair()
    green = GreenSocket(left)
    assert green.fd is left
    assert green.fileno() == left.fileno()
    right.sendall(b"x")
    assert green.recv(1) == b"x"
    number = green.fileno()
    green.close()
    assert left.fileno() == -1
    reused = os.dup2(client.fileno(), number)
    left.close()
    del green, left
    gc.collect()
    assert os.fstat(reused)
    os.close(reused)
    right.close()


def test_wrapping_inherits_the_timeout() -> None:
    left, right = socket.socketpair()
    with left, right:
        left.settimeout(7)
        assert GreenSocket(left).gettimeout() == 7


def test_wrapping_forwards_what_only_the_wrapped_socket_has() -> None:
    class Labelled(socket.socket):
        label = "mine"

    with Labelled() as plain:
        green: Any = GreenSocket(plain)
        assert green.label == "mine"
        with pytest.raises(AttributeError):
            _ = green.nothing


def test_wrapping_a_closed_socket_is_fine() -> None:
    plain = socket.socket()
    plain.close()
    assert GreenSocket(plain).fileno() == -1


def test_forgotten_socket_closes_its_descriptor() -> None:
    left, right = make_pair()
    reader_side = left.fileno()
    holder = [left]
    del left
    with pytest.warns(ResourceWarning):
        holder.clear()
    with pytest.raises(OSError):
        os.fstat(reader_side)
    assert right.recv(1) == b""
    right.close()


def test_subclass_that_skips_init_is_collected_silently() -> None:
    class Lazy(GreenSocket):
        def __init__(self) -> None:
            pass

    Lazy()
    gc.collect()


def test_shutdown_safe_ignores_only_what_is_not_connected(tcp_pair: Any) -> None:
    client, _ = tcp_pair
    shutdown_safe(client)
    with GreenSocket() as alone:
        shutdown_safe(alone)
    shutdown_safe(alone)


def test_unix_backlog_that_is_full_is_waited_for(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with GreenSocket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(0)
        clients = [GreenSocket(socket.AF_UNIX) for _ in range(4)]
        threads = [spawn(client.connect, path) for client in clients]
        for _ in clients:
            listener.accept()[0].close()
        for thread in threads:
            thread.wait()
        for client in clients:
            client.close()


def test_names_are_resolved_while_others_run() -> None:
    with GreenSocket() as listener:
        listener.bind(("localhost", 0))
        listener.listen()
        with GreenSocket() as client:
            client.connect(("localhost", listener.getsockname()[1]))
            listener.accept()[0].close()


# -- fairness ----------------------------------------------------------------------------------


def test_busy_connection_yields_after_its_budget(tcp_pair: Any) -> None:
    client, server = tcp_pair
    turns: list[None] = []
    other = spawn(beat, turns)
    for _ in range(1000):
        client.send(b"x")
        server.recv(1)
    assert len(turns) == 5
    other.wait()


def test_nonblocking_sockets_never_spend_the_budget(tcp_pair: Any) -> None:
    client, server = tcp_pair
    client.setblocking(False)
    server.setblocking(False)
    turns: list[None] = []
    other = spawn(turns.append, None)
    for _ in range(1000):
        client.send(b"x")
        server.recv(1)
    assert not turns
    other.wait()


# -- other loops and libraries -------------------------------------------------------------------


def test_socket_used_in_another_os_thread_parks_on_the_hub_there(tcp_pair: Any) -> None:
    client, server = tcp_pair
    client.sendall(b"here")
    assert server.recv(10) == b"here"
    got = []
    worker = threading.Thread(target=lambda: got.append(server.recv(10)))
    worker.start()
    while get_hub().descriptors and not worker.is_alive():
        sleep(0)
    client.sendall(b"there")
    worker.join(30)
    assert got == [b"there"]


def test_close_wakes_a_reader_in_another_os_thread(tcp_pair: Any) -> None:
    _, server = tcp_pair
    parked = threading.Event()
    errors = []

    def read() -> None:
        spawn(parked.set)
        try:
            server.recv(1)
        except OSError as exc:
            errors.append(exc.errno)

    worker = threading.Thread(target=read)
    worker.start()
    assert parked.wait(30)
    server.close()
    worker.join(30)
    assert errors == [errno.EBADF]


def test_unpatched_ssl_accepts_a_green_socket(tcp_pair: Any) -> None:
    client, server = tcp_pair
    authority = trustme.CA()
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(server_context)
    client_context = ssl.create_default_context()
    authority.configure_trust(client_context)

    def serve() -> None:
        with server_context.wrap_socket(server, server_side=True) as tls:
            tls.sendall(tls.recv(100).upper())

    worker = threading.Thread(target=serve)
    worker.start()
    with client_context.wrap_socket(client, server_hostname="localhost") as tls:
        tls.sendall(b"hello")
        assert tls.recv(100) == b"HELLO"
    worker.join(30)


def test_asyncio_takes_a_green_socket(tcp_pair: Any) -> None:
    client, server = tcp_pair
    client.sendall(b"ping\n")

    async def talk() -> None:
        server.setblocking(False)
        reader, writer = await asyncio.open_connection(sock=server)
        line = await reader.readline()
        writer.write(line.upper())
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    asyncio.run(talk())
    assert client.recv(100) == b"PING\n"
