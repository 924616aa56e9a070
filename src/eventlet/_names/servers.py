"""Whom to ask, in which order, how long and how often, until questions are answered."""

import itertools
from collections.abc import Iterator

from eventlet._names.channels import Channels
from eventlet._names.queries import NEXT_SERVER, Query, Reply, make_query
from eventlet._names.settings_files import DnsSettings, Server

__all__ = ["ask_servers"]

_rotation = itertools.count()


def ask_servers(
    channels: Channels, settings: DnsSettings, queries: list[Query]
) -> dict[Query, Reply]:
    """Ask until each question has an answer or all attempts are used up.

    Questions of one call go to the server together, unless the settings say otherwise. When
    a server answers one of them and refuses the other, that counts as an answer to both.

    Returns:
        The replies that came, by query. A refusal is among them if it was the last word.
    """
    batches = [[query] for query in queries] if settings.one_at_a_time else [queries]
    replies: dict[Query, Reply] = {}
    for batch in batches:
        replies.update(_ask_batch(channels, settings, batch))
    return replies


def _ask_batch(channels: Channels, settings: DnsSettings, batch: list[Query]) -> dict[Query, Reply]:
    replies: dict[Query, Reply] = {}
    refusals: dict[Query, Reply] = {}
    for server, seconds in _turns(settings):
        missing = [query for query in batch if query not in replies]
        try:
            came = _ask_server(channels, settings, server, missing, seconds)
        except OSError:
            continue  # it is not there, or hung up: the next may answer
        for query, reply in came.items():
            is_refusal = reply.code in NEXT_SERVER or reply.is_lame
            (refusals if is_refusal else replies)[query] = reply
        if len(replies) == len(batch) or (
            replies and len(replies.keys() | came.keys()) == len(batch)
        ):
            break
    return refusals | replies


def _turns(settings: DnsSettings) -> Iterator[tuple[Server, float]]:
    """Pair each server with the seconds it is given, attempt by attempt.

    Source: resolv.conf(5), `timeout`; that each later server gets twice the time of the one
    before, divided by the number of servers, was measured with the GNU C library.
    """
    servers = settings.servers
    if settings.rotate:
        first = next(_rotation) % len(servers)
        servers = servers[first:] + servers[:first]
    for _ in range(max(1, settings.attempts)):
        for place, server in enumerate(servers):
            seconds = settings.timeout << place
            if place:
                seconds //= len(servers)
            yield server, float(max(1, seconds))


def _ask_server(
    channels: Channels,
    settings: DnsSettings,
    server: Server,
    queries: list[Query],
    seconds: float,
) -> dict[Query, Reply]:
    if settings.use_vc:
        return channels.ask_over_tcp(server, queries, seconds)
    replies = channels.ask(server, queries, seconds)
    refused = [query for query, reply in replies.items() if reply.code == "FORMERR" and query.edns]
    if refused:
        plain = [make_query(query.name, query.rdtype, edns=False) for query in refused]
        again = channels.ask(server, plain, seconds)
        for query, sent in zip(refused, plain, strict=True):
            if sent in again:
                replies[query] = again[sent]
    truncated = [query for query, reply in replies.items() if reply.is_truncated]
    if truncated:
        # The whole answer needs a connection, which gets a time of its own.
        replies = {query: reply for query, reply in replies.items() if not reply.is_truncated}
        try:
            replies.update(channels.ask_over_tcp(server, truncated, seconds))
        except OSError:
            if not replies:
                raise
    return replies
