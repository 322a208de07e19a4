"""What every engine puts into a cell: the certificates of one run, and the cell file made of a subject's facts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import lab.cell
from lab.cell import Account, AccountMaking, Cell, Endpoint, Process, Transport
from lab.certificates import CertificateAuthority, ServerCertificate
from lab.engines import Running
from lab.engines.server_log import ServerLog
from lab.subjects import Subject

EXTERNAL_LOCALPARTS = ("external", "external-too")  # accounts that get a client certificate (SASL EXTERNAL)


@dataclass(frozen=True)
class CellCertificates:
    ca: Path
    server: ServerCertificate
    clients: dict[str, Path]  # local part -> PEM with key and chain


def certify(subject: Subject, domain: str, run_dir: Path) -> CellCertificates:
    """A new authority in `run_dir/certificates`, and all that it signs for one cell."""
    authority = CertificateAuthority(run_dir / "certificates")
    names = dict.fromkeys((domain, *subject.services_of(domain).values()))
    return CellCertificates(
        ca=authority.ca,
        server=authority.server_certificate(*names, folder=authority.folder / "server"),
        clients={name: authority.client_certificate(f"{name}@{domain}", name=name) for name in EXTERNAL_LOCALPARTS},
    )


def publish(
    subject: Subject,
    *,
    domain: str,
    run_dir: Path,
    endpoints: dict[Transport, Endpoint],
    certificates: CellCertificates,
    process: Process,
    log: ServerLog,
    package: str = "",
    image: str = "",
    digest: str = "",
    account_command: tuple[str, ...] = (),
) -> Running:
    """Write `run_dir/cell.json`.

    `account_command` is what makes an account when run on this machine, `{user}`, `{domain}` and `{password}` left
    in it; it is needed where the subject's accounts are made by a command.
    """
    component = subject.component_of(domain)
    admin = subject.admin
    cell = Cell(
        domain=domain,
        subject=lab.cell.Subject(subject.name, subject.version, package, image, digest),
        endpoints=endpoints | subject.within_http(endpoints),
        ca=certificates.ca,
        client_certificates=certificates.clients,
        services=subject.services_of(domain),
        component=lab.cell.Component(component.domain, component.secret) if component else None,
        accounts=AccountMaking(subject.accounts.method, account_command),
        admin=Account(admin.localpart, domain, admin.password) if admin else None,
        process=process,
        provides=dict(subject.provides),
    )
    cell_file = run_dir / "cell.json"
    lab.cell.write(cell, cell_file)
    return Running(cell, cell_file, log.path)
