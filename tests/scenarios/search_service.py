"""A search service (XEP-0433), as a component of the fake server: it knows two rooms, and refuses as it should."""

from __future__ import annotations

import threading
from types import TracebackType

from lab.cell import Cell
from lab.errors import PeerError
from lab.wire import component
from lab.wire.namespaces import CHANNEL_SEARCH, DATA_FORM, DISCO_INFO, NS, RSM, STANZA_ERROR
from lab.wire.session import localname
from lab.wire.stream import Element

BASE = CHANNEL_SEARCH.removesuffix(":search")
PARAMS, ERRORS, ORDER = f"{BASE}:search-params", f"{BASE}:error", f"{BASE}:order"
ROOMS = (("attic@rooms.example", "Attic", 3), ("cellar@rooms.example", "Cellar", 7))
KEYS = {f"{{{ORDER}}}address": lambda room: room[0], f"{{{ORDER}}}nusers": lambda room: -room[2]}
FORM = (
    f"<x xmlns='{DATA_FORM}' type='form'><field var='FORM_TYPE' type='hidden'><value>{PARAMS}</value></field>"
    "<field var='q' type='text-single'/><field var='all' type='boolean'/>"
    "<field var='sinname' type='boolean'><value>true</value></field>"
    "<field var='sindescription' type='boolean'><value>true</value></field>"
    "<field var='sinaddress' type='boolean'><value>true</value></field>"
    "<field var='types' type='list-multi'><value>xep-0045</value><option><value>xep-0045</value></option></field>"
    f"<field var='key' type='list-single'><value>{{{ORDER}}}address</value>"
    + "".join(f"<option><value>{key}</value></option>" for key in KEYS)
    + "</field></x>"
)


class SearchService:
    """`with SearchService(cell):` answers searches at the component's address."""

    def __init__(self, cell: Cell) -> None:
        self._session = component.connect(cell)
        self._session.patience = 60.0
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._session.send("</stream:stream>")
        self._thread.join()
        self._session.abandon()

    def _serve(self) -> None:
        try:
            while True:
                stanza = self._session.receive()
                if localname(stanza) == "iq" and stanza.get("type") in {"get", "set"}:
                    self._answer(stanza)
        except PeerError:  # the end of the stream
            return

    def _answer(self, iq: Element) -> None:
        asked = iq[0]
        if asked.tag == f"{{{DISCO_INFO}}}query":
            kind, content = "result", f"<query xmlns='{DISCO_INFO}'><feature var='{CHANNEL_SEARCH}'/></query>"
        elif asked.tag != f"{{{CHANNEL_SEARCH}}}search":
            kind, content = _error("service-unavailable", "cancel")
        elif not len(asked):
            kind, content = "result", f"<search xmlns='{CHANNEL_SEARCH}'>{FORM}</search>"
        else:
            kind, content = _search(asked)
        addresses = f"from='{iq.get('to')}' to='{iq.get('from')}'"
        self._session.send(f"<iq type='{kind}' id='{iq.get('id')}' {addresses}>{content}</iq>")


def _search(asked: Element) -> tuple[str, str]:
    fields = {
        field.get("var", ""): [value.text or "" for value in field.iterfind("x:value", NS)]
        for field in asked.iterfind("x:x/x:field", NS)
    }
    words, everything = fields.get("q"), fields.get("all", ["false"])[0] in {"1", "true"}
    key = fields.get("key", [f"{{{ORDER}}}address"])[0]
    if words is None and not everything:
        return _error("bad-request", "cancel", "no-search-conditions")
    if words is not None and everything:
        return _error("bad-request", "modify", "conflicting-fields")
    if key not in KEYS:
        return _error("feature-not-implemented", "modify", "invalid-sort-key")
    if words is not None and not "".join(words).strip():
        return _error("bad-request", "modify", "invalid-search-terms")
    rooms = [room for room in ROOMS if everything or any(word in room[1] for word in words or ())]
    if "xep-0045" not in fields.get("types", ["xep-0045"]):
        rooms = []
    return "result", _page(sorted(rooms, key=KEYS[key]), asked)


def _page(rooms: list[tuple[str, str, int]], asked: Element) -> str:
    """One room a page, where pages are asked for."""
    limit, after = asked.find("rsm:set/rsm:max", NS), asked.findtext("rsm:set/rsm:after", "", NS)
    count = len(rooms)
    if limit is not None:
        places = [place for place, room in enumerate(rooms) if room[0] == after]
        rooms = rooms[places[0] + 1 if places else 0 :][:1]
    items = "".join(
        f"<item address='{address}'><name>{name}</name><nusers>{users}</nusers><is-open/>"
        "<service-type>xep-0045</service-type></item>"
        for address, name, users in rooms
    )
    ends = f"<first>{rooms[0][0]}</first><last>{rooms[-1][0]}</last>" if rooms else ""
    return f"<result xmlns='{CHANNEL_SEARCH}'>{items}<set xmlns='{RSM}'>{ends}<count>{count}</count></set></result>"


def _error(condition: str, kind: str, application: str = "") -> tuple[str, str]:
    own = f"<{application} xmlns='{ERRORS}'/><text xmlns='{STANZA_ERROR}'>No.</text>" if application else ""
    return "error", f"<error type='{kind}'><{condition} xmlns='{STANZA_ERROR}'/>{own}</error>"
