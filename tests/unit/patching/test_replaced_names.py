"""Who replaces a name of `socket` or `ssl` is followed, as without patching."""

from tests.conftest import RunIsolated

SCRIPT = """
import eventlet
import socket, ssl
from eventlet import patcher

early = socket.create_connection
ssl._create_default_https_context = unverified = ssl._create_unverified_context
eventlet.monkey_patch()
assert ssl._create_default_https_context is unverified
from eventlet.green import socket as green_socket


class Own(socket.socket):
    pass


asked = []
ordinary = socket.getaddrinfo


def look_up(host, port, *rest, **options):
    asked.append(host)
    return ordinary("127.0.0.1", port, *rest, **options)


made = [socket.create_connection, green_socket.create_connection]
socket.socket = Own
socket.getaddrinfo = look_up

with socket.create_server(("127.0.0.1", 0)) as listener:
    assert type(listener) is Own
    for connect in made:
        with connect(("name.invalid", listener.getsockname()[1])) as client:
            assert type(client) is Own
    with socket.fromfd(listener.fileno(), socket.AF_INET, socket.SOCK_STREAM) as copy:
        assert type(copy) is Own
assert asked == ["name.invalid"] * 2
for end in socket.socketpair():
    assert type(end) is Own
    end.close()

patcher.unpatch()
assert socket.create_connection is early
assert socket.socket is Own  # set by somebody else: it stays
assert green_socket.create_connection is not early
print("passed")
"""


def test_replaced_classes_and_look_ups_are_used_by_the_functions_beside_them(
    run_isolated: RunIsolated,
) -> None:
    assert run_isolated(SCRIPT).stdout == "passed\n"
