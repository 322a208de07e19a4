"""Entity Capabilities 2.0 (XEP-0390 §4): what is hashed of a disco#info result, the hashes, and their nodes. Pure."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Callable, Iterable

from lab.wire.namespaces import CAPS_2, DATA_FORM, HASHES, NS, XML_LANG
from lab.wire.stream import Element

Hash = tuple[str, str]
"""The name of a hash function as XEP-0300 has it, and the value in base64."""

FUNCTIONS: dict[str, Callable[[bytes], bytes]] = {
    "sha-1": lambda data: hashlib.sha1(data).digest(),  # noqa: S324 - named by the protocol
    "sha-224": lambda data: hashlib.sha224(data).digest(),
    "sha-256": lambda data: hashlib.sha256(data).digest(),
    "sha-384": lambda data: hashlib.sha384(data).digest(),
    "sha-512": lambda data: hashlib.sha512(data).digest(),
    "sha3-256": lambda data: hashlib.sha3_256(data).digest(),
    "sha3-512": lambda data: hashlib.sha3_512(data).digest(),
    "blake2b-256": lambda data: hashlib.blake2b(data, digest_size=32).digest(),
    "blake2b-512": lambda data: hashlib.blake2b(data, digest_size=64).digest(),
}
_UNIT, _RECORD, _GROUP, _FILE = b"\x1f", b"\x1e", b"\x1d", b"\x1c"


def hash_input(query: Element, lang: str = "") -> bytes:
    """The octets that are hashed of a disco#info `<query/>` (§4.1). `lang` holds where no `xml:lang` is closer.

    Raises ValueError for a result that has no hash: with other children, or with forms that are no plain ones.
    """
    features = [_units(f.get("var")) for f in query.iterfind("disco:feature", NS)]
    identities = [
        _units(i.get("category"), i.get("type"), _lang(i) or lang, i.get("name")) + _RECORD
        for i in query.iterfind("disco:identity", NS)
    ]
    forms = [_form(x) for x in query.iterfind("x:x", NS)]
    if len(features) + len(identities) + len(forms) != len(query):
        raise ValueError("another child than identities, features and forms")
    return b"".join(_joined(part) + _FILE for part in (features, identities, forms))


def _form(form: Element) -> bytes:
    fields = form.findall("x:field", NS)
    kind = [f for f in fields if f.get("var") == "FORM_TYPE" and f.get("type") == "hidden"]
    if not kind or any(child.tag in {f"{{{DATA_FORM}}}reported", f"{{{DATA_FORM}}}item"} for child in form):
        raise ValueError("a form without a hidden FORM_TYPE, or with reported items")
    rows = [
        _units(f.get("var")) + _joined(_units(v.text) for v in f.iterfind("x:value", NS)) + _RECORD for f in fields
    ]
    return _joined(rows) + _GROUP


def _units(*texts: str | None) -> bytes:
    return b"".join((text or "").encode() + _UNIT for text in texts)


def _joined(parts: Iterable[bytes]) -> bytes:
    """In the order of i;octet (RFC 4790 §9.3)."""
    return b"".join(sorted(parts))


def _lang(element: Element) -> str:
    """The language of an element, its own or that of the nearest element around it."""
    around = [element, *element.iterancestors()]
    return next((found for one in around if (found := one.get(XML_LANG))), "")


def digest(function: str, query: Element, lang: str = "") -> str:
    """The hash of a disco#info `<query/>` by a function of `FUNCTIONS`. Raises ValueError, as `hash_input`."""
    return b64encode(FUNCTIONS[function](hash_input(query, lang))).decode()


def node(one: Hash) -> str:
    """The service discovery node of a hash (§4.3)."""
    function, value = one
    return f"{CAPS_2}#{function}.{value}"


def hashes(element: Element) -> tuple[Hash, ...]:
    """The set of hashes in a `<c/>`."""
    return tuple((h.get("algo", ""), (h.text or "").strip()) for h in element.iterfind("hashes:hash", NS))


def caps(those: Iterable[Hash]) -> str:
    """A `<c/>` with those hashes (§5.4)."""
    inside = "".join(f"<hash xmlns='{HASHES}' algo='{function}'>{value}</hash>" for function, value in those)
    return f"<c xmlns='{CAPS_2}'>{inside}</c>"
