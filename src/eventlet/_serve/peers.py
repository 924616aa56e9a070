"""Which peers are believed when they speak for others: addresses and networks."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

__all__ = ["Peers"]


class Peers:
    """A set of peers.

    Args:
        text: addresses, networks such as `10.0.0.0/8`, `unix` for who comes over a unix socket,
            `*` for everybody; separated by commas.

    Raises:
        ValueError: a part is something else.
    """

    def __init__(self, text: str) -> None:
        if not isinstance(text, str):
            raise ValueError(f"{text!r} is not a text")
        self._everybody = False
        self._unix = False
        self._networks: list[IPv4Network | IPv6Network] = []
        for part in text.split(","):
            part = part.strip()
            if part == "*":
                self._everybody = True
            elif part == "unix":
                self._unix = True
            else:
                try:
                    self._networks.append(ip_network(part))
                except ValueError:
                    raise ValueError(f"{part!r} is no IP address, network, unix or *") from None

    def __contains__(self, host: str) -> bool:
        """Tell whether a peer belongs to it; one over a unix socket is called `unix`."""
        if self._everybody:
            return True
        if host == "unix":
            return self._unix
        try:
            address = ip_address(host.partition("%")[0])
        except ValueError:
            return False
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return any(address in network for network in self._networks)
