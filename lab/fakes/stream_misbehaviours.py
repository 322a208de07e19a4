"""Misbehaviours of the fake server in SASL, binding and streams: each breaks one rule, for `make prove`."""

from __future__ import annotations

from itertools import count

from lab.fakes.behaviour import Behaviour
from lab.fakes.connection import Connection
from lab.wire.namespaces import SASL, STREAM_ERROR

# --- SASL and bind


class OffersPlainBeforeTls(Behaviour):
    """Offers SASL mechanisms, PLAIN among them, on a connection without TLS, and takes them."""

    offers_sasl_in_plain = True
    takes_sasl_in_plain = True


class AcceptsAuthBeforeTls(Behaviour):
    """Offers no SASL mechanism without TLS, but takes any."""

    takes_sasl_in_plain = True


class AuthenticatesAnyone(Behaviour):
    """Takes any password for right."""

    checks_passwords = False


class SpaceAroundSasl(Behaviour):
    """Puts white space before and behind its elements of SASL."""

    def send(self, connection: Connection, data: bytes) -> None:
        is_sasl = f"xmlns='{SASL}'".encode() in data and not data.startswith(b"<stream:features")
        connection.write(b"\n" + data + b"\n" if is_sasl else data)


class PredictableResource(Behaviour):
    """Counts the resources that it makes: 1, 2, 3."""

    def __init__(self, delay: float) -> None:
        super().__init__(delay)
        self._numbers = count(1)

    def resource(self) -> str:
        return str(next(self._numbers))


# --- streams and their end


class SameStreamId(Behaviour):
    """Gives every stream the same id."""

    def stream_id(self) -> str:
        return "the-same"


class NeverClosesTcp(Behaviour):
    """Closes its stream, but never the TCP connection."""

    def drop(self, connection: Connection) -> None:
        return


class ClosesTcpWithoutStreamClose(Behaviour):
    """Closes the TCP connection without having closed its stream."""

    def on_error(self, connection: Connection, error: str) -> None:
        connection.send(error)
        connection.drop()

    def on_close(self, connection: Connection) -> None:
        connection.drop()


class KeepsStreamAfterError(Behaviour):
    """Sends a stream error and goes on as if nothing had happened."""

    def on_error(self, connection: Connection, error: str) -> None:
        connection.send(error)


class UndefinedConditionAlone(Behaviour):
    """Says undefined-condition whatever is wrong with a stream, and nothing else."""

    def on_error(self, connection: Connection, error: str) -> None:
        vague = f"<stream:error><undefined-condition xmlns='{STREAM_ERROR}'/></stream:error>"
        super().on_error(connection, vague)


class NoCloseNotify(Behaviour):
    """Ends the TCP connection under TLS without close_notify."""

    def drop(self, connection: Connection) -> None:
        connection.transport.abort()


class NoXmlDeclaration(Behaviour):
    """Sends no XML declaration before its stream header."""

    def send(self, connection: Connection, data: bytes) -> None:
        connection.write(data.replace(b"<?xml version='1.0'?>", b""))


class DeclaresStandalone(Behaviour):
    """Sends an XML declaration with a standalone document declaration."""

    def send(self, connection: Connection, data: bytes) -> None:
        connection.write(data.replace(b"<?xml version='1.0'?>", b"<?xml version='1.0' standalone='yes'?>"))


class BoundlessAppetite(Behaviour):
    """Takes data without end: whatever comes in large pieces is swallowed."""

    def on_data(self, connection: Connection, data: bytes) -> None:
        if len(data) < 4096:
            connection.take(data)
