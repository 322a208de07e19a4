"""Service discovery and entity capabilities (XEP-0030, XEP-0115), as the fake client does them."""

from __future__ import annotations

import hashlib
import queue
from base64 import b64encode
from typing import Any
from xml.sax.saxutils import quoteattr

from telling import FEATURES, WRONG

from lab.wire.namespaces import CAPS, DISCO_INFO, DISCO_ITEMS, NS, XML_LANG
from lab.wire.session import Session, localname, new_id

NODE = "https://fake.example/"
PATIENCE = 60.0
FEATURES += [DISCO_ITEMS, CAPS]
_IDENTITY = ("client", "bot", "", "fake")
_ASKED: dict[str, tuple[str, tuple[str, str]]] = {}  # id of a question -> of whom, and of which caps
_AWAITED: dict[str, tuple[str, queue.SimpleQueue[Any]]] = {}  # id of a user's question -> of whom
_CACHE: dict[tuple[str, str], list[str]] = {}  # hash and ver -> features
_GIVEN_UP: set[tuple[str, str]] = set()
BELIEVED: dict[str, list[str]] = {}  # full JID -> features


# --- what it says of itself


def caps() -> str:
    """The annotation of its presence."""
    if WRONG == "sends-no-caps":
        return ""
    ver = "bm9ib2R5J3MgaGFzaA==" if WRONG == "caps-of-another" else _own_hash()
    node = "fake" if WRONG == "caps-without-address" else NODE
    name = "" if WRONG == "caps-without-hash" else " hash='odd'" if WRONG == "caps-of-odd-hash" else " hash='sha-1'"
    return f"<c xmlns='{CAPS}'{name} node='{node}' ver='{ver}'/>"


def _own_hash() -> str:
    return _hash("sha-1", [_IDENTITY], _listed(), [])


def _listed() -> list[str]:
    without = {"hides-disco": DISCO_INFO, "hides-caps": CAPS}.get(WRONG)
    return [feature for feature in FEATURES if feature != without]


def info(session: Session, stanza: Any) -> str:
    """The `<query/>` that answers disco#info; empty where there is no such node."""
    node = stanza[0].get("node")
    if node is not None and not node.startswith(NODE) and WRONG != "has-any-node":
        return ""
    mirrored = f" node={quoteattr(node)}" if node and WRONG != "forgets-the-node" else ""
    category, kind, _, name = _IDENTITY
    if WRONG == "moody" and not (stanza.get("from") or "").startswith(session.bare_jid):
        kind = "pc"
    typed = "" if WRONG == "without-type" else f" type='{kind}'"
    identity = f"<identity category='{category}'{typed} name='{name}'/>"
    if WRONG == "two-names":
        identity += identity.replace(name, "other")
    content = "<more xmlns='urn:stanzalab:0'/>" if WRONG == "features-with-content" else ""
    features = "".join(f"<feature var='{feature}'>{content}</feature>" for feature in _listed())
    if WRONG == "is-nobody":
        identity = features = ""
    return f"<query xmlns='{DISCO_INFO}'{mirrored}>{identity}{features}</query>"


def items() -> str:
    """The `<query/>` that answers disco#items; empty where it answers by an error."""
    item = {
        "items-without-jid": "<item name='nothing'/>",
        "lists-its-caps": f"<item jid='x@example.test' node='{NODE}#{_own_hash()}'/>",
    }.get(WRONG, "")
    return "" if WRONG == "items-are-an-error" else f"<query xmlns='{DISCO_ITEMS}'>{item}</query>"


# --- what it believes of others


def noticed(session: Session, stanza: Any) -> bool:
    """Take note of caps, and of answers about them; whether a stanza was such an answer."""
    sender, identifier = stanza.get("from", ""), stanza.get("id", "")
    if localname(stanza) == "presence":
        annotated = stanza.find("caps:c", NS)
        if annotated is not None and stanza.get("type") is None and sender.partition("/")[0] != session.bare_jid:
            _annotated(session, sender, annotated)
        return False
    if localname(stanza) != "iq" or stanza.get("type") not in {"result", "error"}:
        return False
    of, awaited = _AWAITED.get(identifier, ("", None))
    if awaited is not None and (sender == of or WRONG == "takes-anybodys-answer"):
        awaited.put(stanza)
        return True
    if identifier in _ASKED and sender == _ASKED[identifier][0]:
        _learned(stanza, *_ASKED.pop(identifier))
        return True
    return awaited is not None


def _annotated(session: Session, jid: str, annotated: Any) -> None:
    key = (annotated.get("hash", ""), annotated.get("ver", ""))
    if key in _CACHE and WRONG != "forgets-caps":
        BELIEVED[jid] = _CACHE[key]
    elif key not in _GIVEN_UP:
        identifier = new_id()
        _ASKED[identifier] = (jid, key)
        to = jid.partition("/")[0] if WRONG == "asks-the-account" else jid
        node = quoteattr(f"{annotated.get('node')}#{key[1] if WRONG != 'asks-at-another-node' else ''}")
        query = f"<query xmlns='{DISCO_INFO}' node={node}/>"
        session.send(f"<iq type='get' id='{identifier}' to='{to}'>{query}</iq>")


def _learned(stanza: Any, jid: str, key: tuple[str, str]) -> None:
    query = stanza.find("disco:query", NS)
    if query is None or WRONG == "believes-nothing":
        return
    identities = [
        tuple(i.get(n, "") for n in ("category", "type", XML_LANG, "name"))
        for i in query.iterfind("disco:identity", NS)
    ]
    features = [feature.get("var", "") for feature in query.iterfind("disco:feature", NS)]
    forms = [(_types(form), form) for form in query.iterfind("x:x", NS)]
    if WRONG != "counts-any-form":
        forms = [(types, form) for types, form in forms if types]
    known = key[0] == "sha-1" or (key[0] != "sha-1" and WRONG == "remembers-any-hash")
    twice = any(len(set(one)) < len(one) for one in (identities, features, [types[0] for types, _ in forms if types]))
    ill_formed = twice or any(len(set(types)) > 1 for types, _ in forms)
    right = key[0] != "sha-1" or _hash(key[0], identities, features, forms) == key[1]
    if WRONG == "believes-any-answer":
        right, ill_formed = True, False
    elif WRONG == "believes-ill-formed":
        ill_formed = False
    if right and not ill_formed:
        BELIEVED[jid] = features
        if known:
            _CACHE[key] = features
    elif WRONG == "gives-a-ver-up":
        _GIVEN_UP.add(key)


def _types(form: Any) -> list[str]:
    field = form.find("x:field[@var='FORM_TYPE'][@type='hidden']", NS)
    return [] if field is None else [value.text or "" for value in field.iterfind("x:value", NS)]


def _hash(name: str, identities: list[Any], features: list[str], forms: list[Any]) -> str:
    parts = sorted("/".join(identity) for identity in identities) + sorted(features)
    unique = {types[0] if types else "": form for types, form in forms}  # of two of one type the last counts
    for kind in sorted(unique):
        parts.append(kind)
        for field in sorted(unique[kind].iterfind("x:field", NS), key=lambda f: f.get("var", "")):
            if field.get("var") != "FORM_TYPE":
                parts += [field.get("var", ""), *sorted(v.text or "" for v in field.iterfind("x:value", NS))]
    text = "".join(f"{part}<" for part in parts)
    return b64encode(hashlib.new(name.replace("-", ""), text.encode()).digest()).decode()


def features_of(_: Session, line: dict[str, Any]) -> dict[str, Any]:
    return {"features": BELIEVED.get(line["jid"], [])}


def discover(session: Session, line: dict[str, Any]) -> dict[str, Any]:
    identifier, answer = new_id(), queue.SimpleQueue[Any]()
    _AWAITED[identifier] = (line["jid"], answer)
    node = f" node={quoteattr(line['node'])}" if "node" in line and WRONG != "asks-without-node" else ""
    content = "<more xmlns='urn:stanzalab:0'/>" if WRONG == "asks-with-content" else ""
    query = f"<query xmlns='{DISCO_INFO}'{node}>{content}</query>"
    session.send(f"<iq type='get' id='{identifier}' to={quoteattr(line['jid'])}>{query}</iq>")
    result = answer.get(timeout=PATIENCE)
    return {"features": [feature.get("var", "") for feature in result.iterfind("disco:query/disco:feature", NS)]}
