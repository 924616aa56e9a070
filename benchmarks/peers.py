"""Who is measured: the table of peers, the environment of each and the programs it runs."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from benchmarks.cases import Case, Family

__all__ = ["GEVENT", "PEERS", "US", "EnvironmentSpec", "Peer"]

US = "us"
GEVENT = "gevent"


@dataclass(frozen=True)
class EnvironmentSpec:
    """A virtual environment by name, and the packages in it.

    `may_fail` means that its packages need more than pip of the machine: where they cannot
    be installed, its peers are left out. `is_checkout` means this checkout: its dependencies are installed from pyproject.toml and
    a copy of its `src`, taken when the run begins, is put on the path.
    """

    name: str
    packages: tuple[str, ...] = ()
    is_checkout: bool = False
    may_fail: bool = False


@dataclass(frozen=True)
class Peer:
    """Something to compare with.

    Args:
        name: what `--peers` calls it.
        environment: where it runs; `None` for the C program, which needs none.
        programs: family -> module of `benchmarks.programs`.
        parameters: numbers handed to each of its programs, by name.
        lacks: cases (by their name inside the programs) it has no like of.
    """

    name: str
    environment: EnvironmentSpec | None
    programs: Mapping[Family, str]
    parameters: Mapping[str, int] = field(default_factory=dict)
    lacks: frozenset[str] = frozenset()

    def runs(self, case: Case) -> bool:
        """Say whether this peer has a like of the case."""
        return case.family in self.programs and case.program_case not in self.lacks


def _programs(library: str, *families: Family) -> Mapping[Family, str]:
    return {family: f"{family}_{library}" for family in families}


def _http_peer(name: str, environment: EnvironmentSpec, program: str, **parameters: int) -> Peer:
    return Peer(name, environment, {Family.HTTP: f"http_{program}"}, parameters)


_US = EnvironmentSpec("us", is_checkout=True)
_GUNICORN = EnvironmentSpec("gunicorn", ("gunicorn[gevent]",))
_GREEN = (Family.ECHO, Family.LOOP, Family.MEMORY)
_ASYNCIO = EnvironmentSpec("asyncio")
_UVLOOP = EnvironmentSpec("uvloop", ("uvloop",))
_IMAP = frozenset({"imap", "imap_wait"})
_ECHO_ONLY = {Family.ECHO: "echo_asyncio"}

_TABLE = (
    Peer(US, _US, _programs("eventlet", *_GREEN, Family.HTTP)),
    Peer(
        "eventlet-0.41",
        EnvironmentSpec("eventlet", ("eventlet==0.41.*",)),
        _programs("eventlet", *_GREEN, Family.HTTP),
    ),
    Peer(GEVENT, EnvironmentSpec("gevent", ("gevent",)), _programs("gevent", *_GREEN, Family.HTTP)),
    Peer("asyncio-streams", _ASYNCIO, _programs("asyncio", *_GREEN), lacks=_IMAP),
    Peer("asyncio-protocol", _ASYNCIO, _ECHO_ONLY, {"protocol": 1}),
    Peer("uvloop-streams", _UVLOOP, _programs("asyncio", *_GREEN), {"uvloop": 1}, _IMAP),
    Peer("uvloop-protocol", _UVLOOP, _ECHO_ONLY, {"uvloop": 1, "protocol": 1}),
    Peer(
        "trio",
        EnvironmentSpec("trio", ("trio",)),
        _programs("trio", *_GREEN),
        lacks=_IMAP | {"spawn_n"},
    ),
    _http_peer("us-serve", _US, "serve"),
    _http_peer("gunicorn-gthread", _GUNICORN, "gunicorn"),
    _http_peer("gunicorn-gevent", _GUNICORN, "gunicorn", gevent=1),
    _http_peer("waitress", EnvironmentSpec("waitress", ("waitress",)), "waitress"),
    _http_peer("cheroot", EnvironmentSpec("cheroot", ("cheroot",)), "cheroot"),
    _http_peer("granian", EnvironmentSpec("granian", ("granian",)), "granian"),
    _http_peer("bjoern", EnvironmentSpec("bjoern", ("bjoern",), may_fail=True), "bjoern"),
    _http_peer("uvicorn", EnvironmentSpec("uvicorn", ("uvicorn[standard]",)), "uvicorn"),
    Peer("c-epoll", None, {Family.ECHO: "echo_server"}),
)

PEERS: Mapping[str, Peer] = {peer.name: peer for peer in _TABLE}
