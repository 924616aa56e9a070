"""Certificates for the demo's site, made on the fly and kept in a temporary folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import trustme


@dataclass(frozen=True)
class Certificates:
    """Where the PEM files are."""

    authority: Path
    server: Path
    stranger: Path


def make_certificates(folder: Path) -> Certificates:
    """Make an authority, a certificate by it for localhost, and one by an unknown authority."""
    certificates = Certificates(
        folder / "authority.pem", folder / "server.pem", folder / "stranger.pem"
    )
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(certificates.authority))
    for issuer, path in ((authority, certificates.server), (trustme.CA(), certificates.stranger)):
        issued = issuer.issue_cert("localhost", "127.0.0.1")
        issued.private_key_and_cert_chain_pem.write_to_path(str(path))
    return certificates
