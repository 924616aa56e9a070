"""Names asked of name servers: the search list, shared questions, kept answers.

Theory of operation

A look-up of a name asks for A and AAAA together, for each candidate that the search list makes
of it, until one has an answer. Each candidate is one *job*: a green thread of its own, which
asks and keeps the answers. Whoever wants the same meanwhile waits for the same job, so that a
caller who is killed or timed out disturbs nobody else; when the last one leaves, the job is
ended. Jobs and sockets belong to a hub, kept answers to the process.
"""

import weakref
from collections.abc import Iterator, Sequence
from types import ModuleType
from typing import Any, NamedTuple

from greenlet import GreenletExit

from eventlet._core.current import get_hub
from eventlet._core.hub import Hub
from eventlet._core.thread import GreenThread, throw_soon
from eventlet._names.cache import Cache
from eventlet._names.channels import Channels
from eventlet._names.library import LIBRARY
from eventlet._names.outcomes import LookupFailed, Miss
from eventlet._names.queries import (
    NEXT_SERVER,
    Records,
    is_host_name,
    make_query,
    read_records,
)
from eventlet._names.servers import ask_servers
from eventlet._names.settings_files import DnsSettings
from eventlet._unpatched import getpid, local
from eventlet.event import Event
from eventlet.greenthread import spawn

__all__ = ["DnsService", "Found"]


class Found(NamedTuple):
    """What the servers say of one name and type.

    Attributes:
        records: there may be none.
        miss: why there are none; None when there are.
    """

    records: Records
    miss: Miss | None


_NOTHING = Records("", (), (), 0)


class DnsService:
    """Asks name servers, or remembers what they said."""

    def __init__(self) -> None:
        self.cache: Cache[Found] = Cache()
        self._settings: DnsSettings | None = None
        self._here = _Here()

    def search(
        self, name: bytes, rdtypes: Sequence[str], settings: DnsSettings
    ) -> tuple[bytes, dict[str, Found]]:
        """Look a name up, by way of the search list.

        Args:
            name: as given by the caller; with a dot at its end it is not searched.
            rdtypes: the types that are asked for together, such as `A` and `AAAA`.
            settings: whom to ask, and how.

        Returns:
            The first candidate that has any of the types, and what was found of it, by type.

        Raises:
            LookupFailed: no candidate has.

        Source: resolv.conf(5), `search` and `ndots`.
        """
        self._use(settings)
        seen_no_data = seen_failure = False
        first: Miss | None = None
        last = Miss.NOT_FOUND
        for candidate, is_as_given in _candidates(name, settings):
            found = self.ask(candidate, rdtypes, settings)
            misses = [each.miss for each in found.values()]
            if None in misses:
                return candidate, found
            last = _joint(misses)
            if is_as_given and first is None:
                first = last
            elif last is Miss.NO_DATA:
                seen_no_data = True
            elif last is Miss.TRY_AGAIN:
                seen_failure = True
        if first is not None:
            raise LookupFailed(first)
        raise LookupFailed(
            Miss.NO_DATA if seen_no_data else Miss.TRY_AGAIN if seen_failure else last
        )

    def ask(self, name: bytes, rdtypes: Sequence[str], settings: DnsSettings) -> dict[str, Found]:
        """Look up exactly this name, in memory or by asking; pairs type -> what was found."""
        self._use(settings)
        dns = LIBRARY.load()
        try:
            asked = dns.name.from_text(name)
        except dns.exception.DNSException:
            return dict.fromkeys(rdtypes, Found(_NOTHING, Miss.NO_RECOVERY))
        found: dict[str, Found] = {}
        for rdtype in rdtypes:
            kept = self.cache.get((asked, rdtype))
            if kept is not None:
                found[rdtype] = kept
        missing = tuple(rdtype for rdtype in rdtypes if rdtype not in found)
        if missing:
            found.update(self._here.jobs().run(self, dns, asked, missing, settings))
        return found

    def _use(self, settings: DnsSettings) -> None:
        if settings != self._settings:  # other servers may say something else
            self._settings = settings
            self.cache.clear()

    def ask_now(
        self,
        dns: ModuleType,
        channels: Channels,
        name: Any,
        rdtypes: Sequence[str],
        settings: DnsSettings,
    ) -> dict[str, Found]:
        """Ask the servers, and keep what they say."""
        queries = {
            rdtype: make_query(name, dns.rdatatype.from_text(rdtype), settings.edns0)
            for rdtype in rdtypes
        }
        replies = ask_servers(channels, settings, list(queries.values()))
        asked = name.to_text(omit_final_dot=True)
        found = {}
        for rdtype, query in queries.items():
            reply = replies.get(query)
            if reply is None or reply.is_lame or reply.code in NEXT_SERVER:
                found[rdtype] = Found(_NOTHING, Miss.TRY_AGAIN)
                continue
            if reply.code not in ("NOERROR", "NXDOMAIN"):
                found[rdtype] = Found(_NOTHING, Miss.NO_RECOVERY)
                continue
            records = read_records(dns, query, reply.message)
            miss = None
            if not records.values:
                miss = Miss.NOT_FOUND if reply.code == "NXDOMAIN" else Miss.NO_DATA
            elif not is_host_name(records.values[0] if rdtype == "PTR" else asked):
                found[rdtype] = Found(_NOTHING, Miss.NO_RECOVERY)
                continue
            found[rdtype] = Found(records, miss)
            if settings == self._settings:  # nobody asks these servers any more
                self.cache.put((name, rdtype), found[rdtype], records.ttl)
        return found


class _Job:
    """One name being asked for, and how many wait for the answer."""

    def __init__(self) -> None:
        self.done = Event()
        self.waiting = 0
        self.thread: GreenThread | None = None


class _Jobs:
    """What one hub is asking for."""

    def __init__(self, dns: ModuleType) -> None:
        self._pid = getpid()
        self._hub = weakref.ref(get_hub())
        self._channels = Channels(dns)
        self._running: dict[Any, _Job] = {}

    def are_for(self, hub: Hub) -> bool:
        """Whether these are the jobs of this hub, in this process."""
        return self._hub() is hub and self._pid == getpid()

    def run(
        self,
        service: DnsService,
        dns: ModuleType,
        name: Any,
        rdtypes: tuple[str, ...],
        settings: DnsSettings,
    ) -> dict[str, Found]:
        """Wait for the answer to a question, asked by us or by somebody before."""
        key = (name, rdtypes, settings)
        job = self._running.get(key)
        if job is None:
            job = self._running[key] = _Job()
            ask = service.ask_now
            job.thread = spawn(
                self._ask, key, job, ask, dns, self._channels, name, rdtypes, settings
            )
        job.waiting += 1
        try:
            found: dict[str, Found] = job.done.wait()
            return found
        finally:
            job.waiting -= 1
            if not job.waiting and not job.done.ready():
                self._forget(key, job)
                if job.thread is not None:
                    throw_soon(job.thread, GreenletExit())

    def _ask(self, key: Any, job: _Job, ask: Any, *args: Any) -> None:
        try:
            job.done.send(ask(*args))
        except Exception as exc:  # whoever waits gets it
            job.done.send(exc=exc)
        finally:
            self._forget(key, job)
            if not job.done.ready():  # ended from outside: nobody shall wait for ever
                rdtypes: tuple[str, ...] = key[1]
                job.done.send(dict.fromkeys(rdtypes, Found(_NOTHING, Miss.TRY_AGAIN)))

    def _forget(self, key: Any, job: _Job) -> None:
        if self._running.get(key) is job:
            del self._running[key]


class _Here(local):
    """The jobs of this OS thread's hub."""

    _jobs: _Jobs | None = None

    def jobs(self) -> _Jobs:
        jobs = self._jobs
        if jobs is None or not jobs.are_for(get_hub()):
            jobs = self._jobs = _Jobs(LIBRARY.load())
        return jobs


def _candidates(name: bytes, settings: DnsSettings) -> Iterator[tuple[bytes, bool]]:
    """List the full names to try, each with whether it is the name as given."""
    dots = name.count(b".")
    is_absolute = name.endswith(b".")
    tried_as_given = is_absolute or dots >= settings.ndots
    if tried_as_given:
        yield name, True
    if is_absolute:
        return
    for domain in settings.search:
        suffix = domain.encode("ascii", "surrogateescape").strip(b".")
        if suffix:
            yield name + b"." + suffix, False
        elif not tried_as_given:
            tried_as_given = True
            yield name, False
    if not tried_as_given and (dots or not settings.search or settings.tld_queries):
        yield name, False


def _joint(misses: Sequence[Miss | None]) -> Miss:
    """Tell why a candidate has nothing, of the reasons of its types."""
    for miss in (Miss.TRY_AGAIN, Miss.NO_DATA, Miss.NOT_FOUND):
        if miss in misses:
            return miss
    return Miss.NO_RECOVERY
