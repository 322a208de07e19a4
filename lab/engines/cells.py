"""What every engine puts into a cell: the certificates of one run, and the cell file made of a subject's facts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import lab.cell
from lab.cell import Account, AccountMaking, Cell, Endpoint, Federation, Process, Transport, Turn
from lab.certificates import CertificateAuthority, ServerCertificate
from lab.engines import Running
from lab.engines.names import ZONE
from lab.engines.network import CellNetwork
from lab.engines.server_log import ServerLog
from lab.subjects import Subject

EXTERNAL_LOCALPARTS = ("external", "external-too")  # accounts that get a client certificate (SASL EXTERNAL)


@dataclass(frozen=True)
class CellCertificates:
    authority: Path  # the folder of the lab's authority, its key in it
    ca: Path
    server: ServerCertificate
    clients: dict[str, Path]  # local part -> PEM with key and chain


def certify(subject: Subject, domain: str, run_dir: Path, beside: Running | None = None) -> CellCertificates:
    """A new authority in `run_dir/certificates`, and all that it signs for one cell.

    Where the cell stands `beside` another one, it is that one's authority which signs: they are to trust each other.
    """
    folder = run_dir / "certificates"
    federation = beside.cell.federation if beside else None
    authority = CertificateAuthority.of(federation.authority, folder) if federation else CertificateAuthority(folder)
    names = dict.fromkeys((domain, *subject.services_of(domain).values()))
    return CellCertificates(
        authority=authority.folder,
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
    network: CellNetwork | None = None,
    authority: Path | None = None,
    turn: Turn | None = None,
) -> Running:
    """Write `run_dir/cell.json`.

    `account_command` is what makes an account when run on this machine, `{user}`, `{domain}` and `{password}` left
    in it; it is needed where the subject's accounts are made by a command. Where the `network` has names, the lab can
    be a remote server to the subject, with certificates of the `authority` whose folder is given.
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
        turn=turn,
        accounts=AccountMaking(subject.accounts.method, account_command),
        admin=Account(admin.localpart, domain, admin.password) if admin else None,
        process=process,
        provides=dict(subject.provides),
        federation=Federation(ZONE, network.gateway, authority) if network and network.names and authority else None,
    )
    cell_file = run_dir / "cell.json"
    lab.cell.write(cell, cell_file)
    return Running(cell, cell_file, log.path, network)
