"""The fake server itself: five ports on loopback, one thread with an event loop, the cell to reach it by."""

from __future__ import annotations

import asyncio
import socket
import ssl
import tempfile
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import IO

from lab import cell as cells
from lab.cell import Account, Cell, Component, Endpoint, Subject
from lab.certificates import CertificateAuthority, ServerCertificate
from lab.fakes.behaviour import make
from lab.fakes.bosh_sessions import BoshSessions
from lab.fakes.client_connection import ClientConnection
from lab.fakes.component_connection import ComponentConnection
from lab.fakes.connection import Connection
from lab.fakes.routing import Router
from lab.fakes.services import ADMIN, ADMIN_PASSWORD
from lab.fakes.uploads import Uploads
from lab.fakes.web_connection import BOSH_PATH, WEBSOCKET_PATH, WebConnection

HOST = "127.0.0.1"
END_SECONDS = 5.0  # for connections to end, once they were told to
DOMAIN = "fake.test"


class FakeServer:
    """`with FakeServer(name) as cell:` runs one; it is gone, and its thread with it, when the block is left.

    `misbehaviour` is a key of `MISBEHAVIOURS`, or empty. With `run_dir`, the cell file and the log are written
    there, as an engine does. `delay` (seconds) is for misbehaviours that are late; `patience` goes into the cell.
    Raises UsageError for an unknown misbehaviour.
    """

    def __init__(
        self,
        misbehaviour: str = "",
        *,
        run_dir: Path | None = None,
        delay: float = 0.2,
        patience: float = 5.0,
    ) -> None:
        self.behaviour = make(misbehaviour, delay=delay)
        self.domain = DOMAIN
        self.component = Component(f"component.{DOMAIN}", "fake-secret")
        self.patience = patience
        self.uploads = Uploads(self.behaviour, f"upload.{DOMAIN}", DOMAIN)
        self.router = Router(self.domain, self.component.domain, self.uploads)
        self.connections: set[Connection] = set()
        self.web_connections: set[WebConnection] = set()
        self.bosh = BoshSessions(self)
        self.certificate_der = b""
        self.starttls_context: ssl.SSLContext
        self.direct_context: ssl.SSLContext
        self.web_context: ssl.SSLContext
        self._run_dir = run_dir
        self._tasks: set[asyncio.Task[None]] = set()
        self._listeners: list[socket.socket] = []
        self._accepted: list[socket.socket] = []
        self._unbegun: set[socket.socket] = set()  # accepted just now
        self._log: IO[str] | None = None
        self._left = ExitStack()

    def __enter__(self) -> Cell:
        with ExitStack() as stack:
            folder = self._run_dir or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="stanzalab-fake-")))
            self._log = stack.enter_context((folder / "server.log").open("a", encoding="utf-8", buffering=1))
            started: Future[dict[cells.Transport, Endpoint]] = Future()
            authority = CertificateAuthority(folder / "ca")
            self._prepare_tls(self.behaviour.certificate(authority, self.domain))
            thread = threading.Thread(
                target=asyncio.run, args=(self._main(started),), name="fake-server", daemon=True
            )
            thread.start()
            stack.callback(thread.join)
            endpoints = started.result()
            stack.callback(lambda: self._loop.call_soon_threadsafe(self._left_block.set))
            cell = Cell(
                domain=self.domain,
                subject=Subject(name=f"fake-{self.behaviour.name or 'server'}", version="0"),
                endpoints=endpoints,
                ca=authority.ca,
                services={"upload": self.uploads.domain},
                component=self.component,
                admin=Account(ADMIN, self.domain, ADMIN_PASSWORD),
                patience=self.patience,
            )
            if self._run_dir is not None:
                cells.write(cell, self._run_dir / "cell.json")
            self._left = stack.pop_all()
        return cell

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._left.close()

    def die(self) -> None:
        """End at once, as a killed process does: no port listens, every connection is reset."""
        for listener in self._listeners:
            self._loop.remove_reader(listener)
            listener.close()
        self._listeners.clear()
        self.bosh.end()
        for connection in list(self.connections):
            connection.transport.abort()
        for web in list(self.web_connections):
            web.transport.abort()

    def spawn(self, work: Coroutine[object, object, None]) -> None:
        """Run a coroutine beside the connections, until the server stops."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def log(self, text: str) -> None:
        """A line in server.log, as engines write it: epoch seconds, then the text."""
        if self._log is not None:
            self._log.write(f"{time.time():.6f} {text}\n")

    def _prepare_tls(self, certificate: ServerCertificate) -> None:
        self.certificate_der = ssl.PEM_cert_to_DER_cert(certificate.chain.read_text(encoding="ascii"))
        self.starttls_context = self._context(certificate)
        self.direct_context = self._context(certificate)
        self.web_context = self._context(certificate)
        self.behaviour.adjust_direct(self.direct_context)

    def _context(self, certificate: ServerCertificate) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate.all)
        context.load_verify_locations(certificate.ca)
        context.verify_mode = ssl.CERT_OPTIONAL
        self.behaviour.adjust(context)
        return context

    async def _main(self, started: Future[dict[cells.Transport, Endpoint]]) -> None:
        self._loop = asyncio.get_running_loop()
        self._loop.set_exception_handler(lambda _, context: self.log(f"error: {context}"))
        self._left_block = asyncio.Event()
        try:
            endpoints = self._listen()
        except OSError as error:
            started.set_exception(error)
            return
        started.set_result(endpoints)
        await self._left_block.wait()
        self.die()
        unfinished = asyncio.all_tasks() - {asyncio.current_task()}  # handshakes, connections just accepted
        for task in unfinished:
            task.cancel()
        await asyncio.gather(*unfinished, return_exceptions=True)
        self.die()
        for sock in self._unbegun:
            sock.close()
        late = self._loop.time() + END_SECONDS
        while any(sock.fileno() != -1 for sock in self._accepted) and self._loop.time() < late:
            await asyncio.sleep(0.001)  # lets each connection learn of its end

    def _listen(self) -> dict[cells.Transport, Endpoint]:
        factories: dict[cells.Transport, Callable[[], asyncio.Protocol]] = {
            "c2s": lambda: ClientConnection(self),
            "c2s-direct-tls": lambda: ClientConnection(self, tls=True),
            "component": lambda: ComponentConnection(self),
            "http": lambda: WebConnection(self, tls=False),
            "https": lambda: WebConnection(self, tls=True),
        }
        contexts = {"c2s-direct-tls": self.direct_context, "https": self.web_context}
        endpoints: dict[cells.Transport, Endpoint] = {}
        for name, factory in factories.items():
            listener = socket.create_server((HOST, 0))
            listener.setblocking(False)
            endpoints[name] = Endpoint(*listener.getsockname())
            context = contexts.get(name)
            self._listeners.append(listener)
            self._loop.add_reader(listener, self._accept, listener, factory, context)
        endpoints["websocket"] = replace(endpoints["https"], path=WEBSOCKET_PATH)
        endpoints["websocket-plain"] = replace(endpoints["http"], path=WEBSOCKET_PATH)
        endpoints["bosh"] = replace(endpoints["https"], path=BOSH_PATH)
        endpoints["bosh-plain"] = replace(endpoints["http"], path=BOSH_PATH)
        return endpoints

    def _accept(
        self, listener: socket.socket, factory: Callable[[], asyncio.Protocol], context: ssl.SSLContext | None
    ) -> None:
        """Take a connection. Its socket is kept: none may outlive the server."""
        try:
            sock, _ = listener.accept()
        except OSError:  # it went away again
            return
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._accepted.append(sock)
        self._unbegun.add(sock)
        self.spawn(self._begin(sock, factory, context))

    async def _begin(
        self, sock: socket.socket, factory: Callable[[], asyncio.Protocol], context: ssl.SSLContext | None
    ) -> None:
        timeout = 1.0 if context else None
        self._unbegun.discard(sock)
        try:
            await self._loop.connect_accepted_socket(factory, sock, ssl=context, ssl_shutdown_timeout=timeout)
        except OSError as error:  # among them ssl.SSLError; whoever failed has closed the socket
            self.log(f"TLS failed: {error}")
