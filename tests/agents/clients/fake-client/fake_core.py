"""RFC 6120 as the fake client keeps to it once it is logged in: iqs, stanzas that it leaves alone, the stream's end.

`DOES` has its commands: each takes the session and the command, and answers what `done` brings with it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any
from xml.sax.saxutils import quoteattr

import fake_disco
import fake_planted
from telling import WRONG, tell

from lab.errors import LabError
from lab.wire import stream
from lab.wire.namespaces import CLIENT, NS, STANZA_ERROR, STREAM_ERROR
from lab.wire.session import Session, StreamEnded, StreamFailed, localname
from lab.wire.stream import PeerViolation

DOES: dict[str, Callable[[Session, dict[str, Any]], dict[str, Any]]] = {
    "features-of": fake_disco.features_of,
    "discover": fake_disco.discover,
}
STANZAS = {"iq", "message", "presence"}
if WRONG == "takes-undeclared-prefixes":
    stream._refuse_bad_names = lambda element: None  # noqa: ARG005 - it has to have that name


def presence() -> str:
    """Its initial presence."""
    if WRONG == "prefixes-stanzas":
        return f"<c:presence xmlns:c='{CLIENT}'/>"
    return f"<presence>{fake_disco.caps()}</presence>"


def passes_over(session: Session, element: Any) -> bool:
    """Whether an element is none that it may deal with, or is dealt with before all else."""
    body = element.findtext("{*}body") or ""
    if WRONG == "dies-of-messages" and body and not body.startswith("sentinel-"):
        os._exit(1)
    foreign = not str(element.tag).startswith(f"{{{CLIENT}}}") or element.prefix is not None
    if localname(element) in STANZAS and foreign:
        if WRONG == "takes-foreign-stanzas":
            tell("message", **{"from": element.get("from", ""), "body": body})
        return True
    if WRONG == "shows-unknown-parts" and localname(element) == "message":
        for part in element.iter("{*}body"):
            tell("message", **{"from": element.get("from", ""), "body": part.text or ""})
        for name, value in element.attrib.items():
            if name.startswith("{"):
                tell("message", **{"from": element.get("from", ""), "body": value})
        return True
    if fake_planted.hit(session, element, answer):
        return True
    _answers_too_much(session, element)
    return fake_disco.noticed(session, element)


def _answers_too_much(session: Session, element: Any) -> None:
    kind, type_ = localname(element), element.get("type")
    refused = f"<error type='cancel'><feature-not-implemented xmlns='{STANZA_ERROR}'/></error>"
    to = quoteattr(element.get("from", session.domain))
    if (kind == "iq" and type_ in {"result", "error"} and WRONG == "answers-answers") or (
        kind in {"message", "presence"} and type_ == "error" and WRONG == "answers-stanza-errors"
    ):
        session.send(f"<{kind} type='error' id={quoteattr(element.get('id', ''))} to={to}>{refused}</{kind}>")
    if kind == "message" and element.find("lab:lab", NS) is not None and WRONG == "refuses-unknown-messages":
        session.send(f"<message type='error' to={to}>{refused}</message>")
    if kind == "message" and element.find("lab:lab", NS) is not None and WRONG == "answers-unknown-messages":
        session.send(f"<message type='chat' to={to}><body>What is that?</body></message>")


def heard(session: Session, stanza: Any) -> bool:
    """Deal with a stanza; whether it is dealt with."""
    if localname(stanza) != "iq" or stanza.get("type") in {"result", "error"}:
        return False
    answer(session, stanza)
    if WRONG == "answers-twice":
        answer(session, stanza)
    return True


def answer(session: Session, stanza: Any) -> None:
    """Answer an iq: a ping and service discovery by a result, what it does not know by an error."""
    if WRONG == "ignores-iq":
        return
    identifier = stanza.get("id", "")
    if WRONG == "mangles-ids" and not (len(identifier) < 20 and identifier.isalnum()):
        identifier = "mangled"
    attributes = f"id={quoteattr(identifier)}" + (
        f" to={quoteattr(stanza.get('from'))}" if stanza.get("from") else ""
    )
    if (result := _result(session, stanza)) is not None:
        session.send(f"<iq type='result' {attributes}>{result}</iq>")
        return
    kind, condition = "cancel", "service-unavailable"
    if stanza.get("type") not in {"get", "set"} and WRONG != "takes-any-type":
        kind, condition = "modify", "bad-request"
    elif stanza.find("disco:query", NS) is not None and WRONG != "knows-no-nodes":
        condition = "item-not-found"
    elif WRONG == "has-nothing-implemented":
        condition = "feature-not-implemented"
    elif WRONG == "says-wait":
        kind = "wait"
    session.send(
        f"<iq type='error' {attributes}><error type='{kind}'><{condition} xmlns='{STANZA_ERROR}'/></error></iq>"
    )


def _result(session: Session, stanza: Any) -> str | None:
    """The payload of a result; None where there is to be an error."""
    if stanza.get("type") not in {"get", "set"}:
        return None
    ping = stanza.find("ping:ping", NS)
    if WRONG == "says-yes-to-anything" or (ping is not None and (WRONG != "knows-prefixes" or not ping.prefix)):
        return ""
    if stanza.get("type") == "get" and stanza.find("disco:query", NS) is not None:
        return fake_disco.info(session, stanza) or None
    if stanza.get("type") == "get" and stanza.find("items:query", NS) is not None:
        return fake_disco.items() or None
    return None


def ended(session: Session, error: LabError) -> None:
    """The stream failed or was closed: close it, too, and say why where it is the peer who did wrong."""
    if isinstance(error, PeerViolation) and WRONG != "drops-the-connection":
        session.send(f"<stream:error><{error.condition} xmlns='{STREAM_ERROR}'/></stream:error></stream:stream>")
    elif isinstance(error, StreamFailed | StreamEnded) and WRONG not in {"drops-the-connection", "stays"}:
        session.send("</stream:stream>")
    if WRONG == "drops-the-connection":
        session.transport.abort()
