"""Certificates, in files of the folder of the test."""

from __future__ import annotations

from pathlib import Path

import pytest
import trustme


@pytest.fixture
def authority(tmp_path: Path) -> trustme.CA:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    server = authority.issue_cert("localhost")
    server.private_key_pem.write_to_path(tmp_path / "key.pem")
    server.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    server.private_key_and_cert_chain_pem.write_to_path(tmp_path / "both.pem")
    return authority
