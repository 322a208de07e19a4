"""Runs a subject as processes of this machine: no container, no isolation, but a server within seconds.

Where its packages come from stands in `venvs`, what ends it in `leftovers`.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from lab.cell import Endpoint, Process, Transport
from lab.engines import RESTARTS, Progress, Running, cells, leftovers, venvs
from lab.engines.cells import CellCertificates
from lab.engines.ports import LOOPBACK, free_ports
from lab.engines.readiness import wait_until_ready
from lab.engines.server_log import ServerLog
from lab.engines.signals import ended_by_signals
from lab.engines.watch import Watch
from lab.errors import MachineError, UsageError
from lab.subjects import LocalProcess, Subject, fill


class LocalEngine:
    """The engine `local`."""

    name = "local"

    def unavailable(self) -> str | None:
        return None if os.name == "posix" else "it needs a POSIX system"

    def prepare(self, subject: Subject, progress: Progress) -> None:
        """Install what `subject` needs, where it is not installed yet."""
        if subject.local is not None:
            venvs.ensure(subject.name, _requirements(subject.local, subject.version), progress)

    @contextmanager
    def start(
        self,
        subject: Subject,
        *,
        domain: str,
        run_dir: Path,
        progress: Progress,
        restarts: int = RESTARTS,
        beside: Running | None = None,
    ) -> Iterator[Running]:
        """Run `subject` until the block is left; see `lab.engines.Engine`."""
        if beside is not None:
            raise UsageError(f"{subject.name} runs in a local process, which joins no other server's network")
        local = subject.local
        if local is None:
            raise UsageError(f"{subject.name} has no [local] in its subject.toml")
        with ended_by_signals(), ExitStack() as stack:
            leftovers.sweep(progress)
            place = _prepare(subject, local, local.domain or domain, run_dir.absolute(), progress)
            progress.step(f"starting {subject.title} {subject.version}")
            log = ServerLog(place.run_dir)
            stack.callback(log.close)
            service = _Service(_filled(local, place.values), place.work, log)
            stack.callback(service.forget)
            watch = Watch(place.run_dir, log, wait=service.wait, restart=service.spawn, restarts=restarts)
            stack.callback(watch.join)
            stack.callback(service.end)
            stack.callback(watch.end)
            service.spawn()
            door = place.endpoints[subject.ready.port]
            wait_until_ready(subject, door, domain=place.domain, log=log, gone=service.gone)
            watch.start()
            yield cells.publish(
                subject,
                domain=place.domain,
                run_dir=place.run_dir,
                endpoints=place.endpoints,
                certificates=place.certificates,
                process=Process("local", str(service.record)),
                log=log,
                package=_package(local, place.venv),
                account_command=tuple(
                    fill(part, **place.values, user="{user}", password="{password}")  # noqa: S106 - a place, not one
                    for part in subject.accounts.command
                ),
            )


ENGINE = LocalEngine()


def alive(process: Process) -> str | None:
    """None while the process of a cell lives, else why not."""
    return None if leftovers.runs(Path(process.id)) else "its process is gone"


def memory(process: Process) -> int | None:
    """Bytes that the processes of a cell hold; None where they are gone."""
    return leftovers.memory(Path(process.id))


@dataclass(frozen=True)
class _Place:
    """What lies ready before a subject is started: its packages, certificates, ports and files."""

    domain: str
    run_dir: Path
    work: Path
    venv: Path
    certificates: CellCertificates
    endpoints: dict[Transport, Endpoint]
    values: dict[str, str | int]  # what can be filled in in [local]


def _prepare(subject: Subject, local: LocalProcess, domain: str, run_dir: Path, progress: Progress) -> _Place:
    work = run_dir / "subject"
    try:
        work.mkdir(parents=True, exist_ok=True)
        venv = venvs.ensure(subject.name, _requirements(local, subject.version), progress)
        certificates = cells.certify(subject, domain, run_dir)
        ports = dict(zip(subject.ports, free_ports(len(subject.ports)), strict=True))
        _write_files(subject, domain, work, ports=ports, certificates=certificates.server.folder)
    except OSError as error:
        raise MachineError(
            f"cannot make ready what {subject.name} needs", cause=str(error), hint="is there room on the disk?"
        ) from error
    return _Place(
        domain=domain,
        run_dir=run_dir,
        work=work,
        venv=venv,
        certificates=certificates,
        endpoints={transport: Endpoint(LOOPBACK, port) for transport, port in ports.items()},
        values={
            "domain": domain,
            "version": subject.version,
            "folder": str(subject.folder),
            "venv": str(venv),
            "work": str(work),
            "certificates": str(certificates.server.folder),
            **{f"port:{transport}": port for transport, port in ports.items()},
        },
    )


class _Service:
    """The subject's processes in this run, through all restarts."""

    def __init__(self, local: LocalProcess, work: Path, log: ServerLog) -> None:
        self.record = leftovers.new_record()
        self._local, self._work, self._log = local, work, log
        self._process: subprocess.Popen[bytes] | None = None
        self._reader: threading.Thread | None = None

    def spawn(self) -> None:
        """Start it, without waiting until it is ready. What an earlier start left behind is ended first."""
        leftovers.end(self.record)
        try:
            process = subprocess.Popen(
                self._local.command,
                cwd=self._work,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for the lab, which then ends the subject
            )
        except OSError as error:
            raise MachineError(f"cannot run {self._local.command[0]}", cause=str(error)) from error
        leftovers.note(self.record, process.pid)
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        self._process = process
        self._reader = threading.Thread(target=self._log.copy, args=(process.stdout,), daemon=True)
        self._reader.start()

    def wait(self) -> str:
        """Block until it exits; says how."""
        assert self._process is not None  # noqa: S101 - waited for only after `spawn`
        code = self._process.wait()
        self._drain()
        return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"exited with code {code}"

    def gone(self) -> str | None:
        """How it exited, or None while it runs."""
        return None if self._process is None or self._process.poll() is None else f"it {self.wait()}"

    def end(self) -> None:
        leftovers.end(self.record)
        if self._process is not None:
            self._process.wait()
            self._drain()

    def forget(self) -> None:
        self.record.unlink(missing_ok=True)

    def _drain(self) -> None:
        if self._reader is not None:
            self._reader.join(timeout=1.0)  # a child that lives on may hold the pipe open

    def _environment(self) -> dict[str, str]:
        # Nothing of the user's own environment: what the subject does depends on its folder alone.
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self._work),
            "LANG": "C.UTF-8",
            "TZ": "UTC",
            "PYTHONUNBUFFERED": "1",
            **self._local.environment,
            leftovers.MARK: str(self.record),
        }


def _requirements(local: LocalProcess, version: str) -> tuple[str, ...]:
    return tuple(fill(line, version=version) for line in local.requirements)


def _filled(local: LocalProcess, values: dict[str, str | int]) -> LocalProcess:
    return replace(
        local,
        command=tuple(fill(part, **values) for part in local.command),
        environment={key: fill(value, **values) for key, value in local.environment.items()},
    )


def _write_files(
    subject: Subject, domain: str, work: Path, *, ports: Mapping[Transport, int], certificates: Path
) -> None:
    for template, place in subject.files.items():
        file = work / place.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        text = subject.render(template, domain=domain, ports=ports, certificates=str(certificates), work=str(work))
        file.write_text(text, encoding="utf-8")


def _package(local: LocalProcess, venv: Path) -> str:
    version = venvs.installed_version(venv, local.package) if local.package else ""
    return f"{local.package} {version}" if version else ""
