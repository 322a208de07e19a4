"""TLS settings that are kept: made once for an authority, and anew for another one at the same place."""

from __future__ import annotations

from pathlib import Path

from lab.certificates import CertificateAuthority
from lab.wire.transport import usual_context


def test_the_usual_context_is_that_of_what_stands_in_the_file(tmp_path: Path) -> None:
    ca = CertificateAuthority(tmp_path).ca
    first = usual_context(ca)
    assert usual_context(ca) is first
    assert CertificateAuthority(tmp_path).ca == ca
    assert usual_context(ca) is not first
