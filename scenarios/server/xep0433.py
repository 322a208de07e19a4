"""XEP-0433 (extended channel search): the form, what is answered to searches, and to those that make no sense.

The service is looked for at the server itself and at the services that it lists. How it words a search, what it knows
of, and how many it answers in a minute is its own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pytest

from lab.plugin import Connect, Specification, impossible, require, require_equal, require_result, unsupported
from lab.wire.namespaces import CHANNEL_SEARCH, NS, RSM
from lab.wire.session import Session, new_id, show, stanza_error_condition
from lab.wire.stream import Element
from lab.wire.transport import NoAnswer
from scenarios.server._caps import form_type
from scenarios.server._discovery import advertises, answered, services
from scenarios.server._forms import submit

XEP = Specification("XEP-0433")

BASE = CHANNEL_SEARCH.removesuffix(":search")
PARAMS, ERRORS = f"{BASE}:search-params", f"{BASE}:error"
BY_ADDRESS, BY_USERS = f"{{{BASE}:order}}address", f"{{{BASE}:order}}nusers"
TYPES = {
    "q": "text-single",
    "all": "boolean",
    "sinaddress": "boolean",
    "sinname": "boolean",
    "sindescription": "boolean",
    "types": "list-multi",
    "key": "list-single",
}
"""The fields that are defined, and their types (§6.1)."""
TRUE = {"1", "true"}
PAGES = 50
"""So many of a list that is asked for page by page."""
PAGE = 5
JID = re.compile(r"[^\s@/\"&'<>]+@[^\s@/]+|[^\s@/]+")

Fields = Mapping[str, str | Sequence[str]]


@dataclass(frozen=True)
class Service:
    """A search service, and who asks it."""

    session: Session
    jid: str
    form: Element
    """Its form, as it was sent."""

    @property
    def fields(self) -> dict[str, Element]:
        return {field.get("var", ""): field for field in self.form.iterfind("x:field", NS)}

    @property
    def takes_all(self) -> bool:
        return "all" in self.fields

    def search(self, fields: Fields, within: str = "") -> Element:
        """Ask for what fits. Answers the reply, which is not that one has asked too often."""
        return _asked(self.session, self.jid, submit(PARAMS, fields) + within)

    def found(self, fields: Fields, within: str = "") -> list[Element]:
        """The items of a result."""
        reply = self.search(fields, within)
        require_result(reply)
        result = reply.find("search:result", NS)
        require(result is not None, "<result/>", reply)
        return [] if result is None else result.findall("search:item", NS)


def _asked(session: Session, jid: str, inside: str = "") -> Element:
    reply = session.iq("get", f"<search xmlns='{CHANNEL_SEARCH}'>{inside}</search>", to=jid)
    if reply.find(f"c:error/{{{ERRORS}}}rate-limit", NS) is not None:
        impossible("the service answers no more searches for now")
    return reply


def _candidates(session: Session, connect: Connect) -> list[str]:
    """The server, and the services that it lists."""
    listed = answered(lambda: services(session, connect))
    return list(dict.fromkeys([session.domain, *(jid for jid in listed if jid and "@" not in jid)]))


def _searches(session: Session, jid: str) -> bool:
    """Whether one of them says that it is a search service; who says nothing is none."""
    try:
        return advertises(session, jid, CHANNEL_SEARCH)
    except NoAnswer:
        return False


def _service(connect: Connect) -> Service:
    session = connect(label="alice")
    jid = next((jid for jid in _candidates(session, connect) if _searches(session, jid)), None)
    if jid is None:
        unsupported(CHANNEL_SEARCH)
    reply = _asked(session, jid)
    require_result(reply)
    form = reply.find("search:search/x:x", NS)
    require(form is not None, "a form in <search/>", reply)
    return Service(session, jid, reply if form is None else form)


def _word() -> str:
    """A word that stands nowhere."""
    return f"nowhere{new_id()}"


def _needs(service: Service, *fields: str) -> None:
    for field in fields:
        if field not in service.fields:
            unsupported(f"the field {field}")


# --- support, and the form


@XEP.must("4.1", "4.2.2", says="Who answers searches lists the feature urn:xmpp:channel-search:0:search.")
def test_support_is_advertised(connect: Connect) -> None:
    session = connect(label="alice")
    candidates = _candidates(session, connect)
    found = [jid for jid in candidates if _searches(session, jid)]
    for jid in candidates:
        try:
            reply = _asked(session, jid)
        except NoAnswer:
            continue
        answers = reply.get("type") == "result" and reply.find("search:search", NS) is not None
        require(jid in found or not answers, f"{CHANNEL_SEARCH} in disco#info of {jid}", reply)
    if not found:
        unsupported(CHANNEL_SEARCH)


@XEP.must("4.2.1", "5", says="Who asks for it is given the form, which names its kind.")
def test_form_is_given(connect: Connect) -> None:
    form = _service(connect).form
    require_equal((form.get("type"), form_type(form)), ("form", PARAMS), "type, FORM_TYPE")


@XEP.must(
    "6.1", "5", says="The form says how results are ordered; one with words to search for, where they are sought."
)
def test_form_has_the_required_fields(connect: Connect) -> None:
    service = _service(connect)
    needed = {"key"} | ({"sinname", "sindescription"} if "q" in service.fields else set())
    require(needed <= set(service.fields), f"the fields {', '.join(sorted(needed))}", service.form)


@XEP.should("6.1", says="Services can be searched by words, and by the types of channels.")
@pytest.mark.parametrize("field", ["q", "types"])
def test_form_has_the_recommended_fields(field: str, connect: Connect) -> None:
    service = _service(connect)
    require(field in service.fields, f"the field {field}", service.form)


@XEP.must("6.1", says="A field of the form is of the type that is defined for it.")
@pytest.mark.parametrize("field", TYPES)
def test_field_is_of_its_type(field: str, connect: Connect) -> None:
    service = _service(connect)
    _needs(service, field)
    require_equal(service.fields[field].get("type"), TYPES[field], f"type of {field}")


@XEP.must("5", says="A field of the form has its default, where there can be one.")
@pytest.mark.parametrize("field", ["sinname", "sindescription", "key"])
def test_field_has_its_default(field: str, connect: Connect) -> None:
    service = _service(connect)
    _needs(service, field)
    value = service.fields[field].findtext("x:value", "", NS)
    options = {o.findtext("x:value", "", NS) for o in service.fields[field].iterfind("x:option", NS)}
    require(value and (not options or value in options), "a value, one of the options", service.fields[field])


# --- results


@XEP.must("5", says="A search that nothing fits is answered by an empty result, not by an error.")
def test_nothing_fits(connect: Connect) -> None:
    service = _service(connect)
    _needs(service, "q")
    require_equal([show(item) for item in service.found({"q": _word()})], [], "items")


@XEP.must("5", says="A field that the service does not know changes nothing.")
def test_unknown_field_is_ignored(connect: Connect) -> None:
    service = _service(connect)
    _needs(service, "q")
    word = _word()
    for fields in ({"q": word}, {"q": word, "{urn:stanzalab:0}unheard-of": "1"}):
        require_equal([show(item) for item in service.found(fields)], [], "items")


def _some(service: Service, fields: Fields | None = None) -> list[Element]:
    """A page of channels; `unsupported` where the service gives no list, or has nothing to list."""
    if not service.takes_all:
        unsupported("a list of all channels")
    wanted = {"all": "true", "key": BY_ADDRESS} | dict(fields or {})
    reply = service.search(wanted)
    if _application(reply) == "full-set-retrieval-rejected":
        unsupported("a list of all channels")
    require_result(reply)
    items = reply.findall("search:result/search:item", NS)
    if not items:
        unsupported("a channel to find")
    return items


@XEP.must("6.2", says="Each item of a result has the address of a channel, a JID.")
def test_items_have_addresses(connect: Connect) -> None:
    for item in _some(_service(connect)):
        require(JID.fullmatch(item.get("address", "")), "an address that is a JID", item)


CONTENT = {
    "nusers": re.compile(r"\d+"),
    "service-type": re.compile(r"xep-0045|xep-0369|\{.*\}.*"),
    "is-open": re.compile(r"|true|false|0|1"),
    "language": re.compile(r"[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*"),
    "name": re.compile(r".*", re.DOTALL),
    "description": re.compile(r".*", re.DOTALL),
}


@XEP.must("6.2", says="What an item tells of a channel, it tells once, in the form that is defined for it.")
@pytest.mark.parametrize("name", CONTENT)
def test_content_of_items(name: str, connect: Connect) -> None:
    told = [(item, item.findall(f"search:{name}", NS)) for item in _some(_service(connect))]
    if not any(values for _, values in told):
        unsupported(f"<{name}/> in items")
    for item, values in told:
        texts = [(value.text or "").strip() for value in values]
        require(len(texts) <= 1 and all(map(CONTENT[name].fullmatch, texts)), f"<{name}/>, once, in its form", item)


@XEP.must_not("6.2", says="No channel is listed of a type that was not asked for.")
@pytest.mark.parametrize("kind", ["xep-0045", "xep-0369"])
def test_types_are_heeded(kind: str, connect: Connect) -> None:
    service = _service(connect)
    _needs(service, "types")
    _some(service)
    for item in service.found({"all": "true", "key": BY_ADDRESS, "types": [kind]}):
        found = item.findtext("search:service-type", kind, NS)
        require_equal(found, kind, "service-type")


@XEP.must("6.1", says="Ordered by the number of users, no channel stands behind one with fewer.")
def test_order_by_users(connect: Connect) -> None:
    counts = [item.findtext("search:nusers", "", NS) for item in _some(_service(connect), {"key": BY_USERS})]
    told = [int(count) for count in counts if count.isdigit()]
    if len(told) < 2:
        unsupported("numbers of users")
    require_equal(told, sorted(told, reverse=True), "numbers of users")


@XEP.must("5", "6.1", says="All channels are in the list, page by page, each once where they are ordered by address.")
def test_all_are_listed(connect: Connect) -> None:
    service = _service(connect)
    _some(service)
    seen: list[str] = []
    after = ""
    for _ in range(PAGES):
        page = f"<set xmlns='{RSM}'><max>{PAGE}</max>{f'<after>{after}</after>' if after else ''}</set>"
        reply = service.search({"all": "true", "key": BY_ADDRESS}, page)
        require_result(reply)
        items = [i.get("address", "") for i in reply.iterfind("search:result/search:item", NS)]
        seen += items
        count = reply.findtext("search:result/rsm:set/rsm:count", "", NS)
        after = reply.findtext("search:result/rsm:set/rsm:last", "", NS)
        if not items or not after:
            require(not count or len(seen) == int(count), f"{count} channels in all", f"{len(seen)}: {seen}")
            require_equal(len(set(seen)), len(seen), "different addresses")
            return
    impossible(f"the list has more than {PAGES} pages")


# --- refused


def _application(reply: Element) -> str:
    """The application-specific condition of an error; empty where it has none."""
    found = reply.find(f"c:error/{{{ERRORS}}}*", NS)
    return "" if found is None else str(found.tag).rpartition("}")[2]


def _is_refused(reply: Element, conditions: dict[str, str], application: str) -> None:
    """An error with one of the conditions, of the type that goes with it (empty: any), and the service's own one."""
    condition = stanza_error_condition(reply)
    error = reply.find("c:error", NS)
    kind = "" if error is None else error.get("type", "")
    fits = condition in conditions and conditions[condition] in {"", kind} and _application(reply) == application
    require(fits, f"{' or '.join(conditions)} with <{application}/>", reply)


@XEP.must("4.2.2.2", says="An order that the service does not know is refused, and called so.")
def test_unknown_order_is_refused(connect: Connect) -> None:
    service = _service(connect)
    _needs(service, "q", "key")
    reply = service.search({"q": _word(), "key": "{urn:stanzalab:0}colour"})
    _is_refused(reply, {"feature-not-implemented": "modify"}, "invalid-sort-key")


@XEP.must("4.2.2.3", says="Words among which none can be searched for are refused, and called so.")
@pytest.mark.parametrize("text", ["", " "], ids=["empty", "blank"])
def test_no_words_are_refused(text: str, connect: Connect) -> None:
    service = _service(connect)
    _needs(service, "q")
    reply = service.search({"q": text})
    # An empty field may count as one that is not there (§4.2.2.7).
    other = _application(reply) == "no-search-conditions"
    _is_refused(
        reply, {"bad-request": "" if other else "modify"}, "no-search-conditions" if other else "invalid-search-terms"
    )


@XEP.should("4.2.2.3", says="What makes words fit for a search is said to people.")
def test_why_no_words_fit_is_told(connect: Connect) -> None:
    service = _service(connect)
    _needs(service, "q")
    reply = service.search({"q": " "})
    if _application(reply) != "invalid-search-terms":
        unsupported("words that no search fits")
    require(reply.findtext("c:error/stanzas:text", "", NS).strip(), "a text in the error", reply)


@XEP.must("4.2.2.5", "5", says="Who asks for all channels is given them, or told that this is not allowed.")
def test_all_are_given_or_refused(connect: Connect) -> None:
    service = _service(connect)
    reply = service.search({"all": "true", "key": BY_ADDRESS})
    if reply.get("type") == "result":
        require(reply.find("search:result", NS) is not None, "<result/>", reply)
        return
    if _application(reply) == "no-search-conditions" and not service.takes_all:
        unsupported("the field all")
    _is_refused(reply, {"not-allowed": "cancel", "forbidden": "auth"}, "full-set-retrieval-rejected")


@XEP.must("4.2.2.6", says="Words to look for, and all channels besides, do not go together.")
def test_conflicting_fields_are_refused(connect: Connect) -> None:
    service = _service(connect)
    _needs(service, "q", "all")
    reply = service.search({"q": _word(), "all": "true"})
    if _application(reply) == "full-set-retrieval-rejected":
        unsupported("a list of all channels")
    # The text and the example of §4.2.2.6 differ.
    _is_refused(reply, {"bad-request": "", "not-allowed": ""}, "conflicting-fields")


@XEP.should("4.2.2.6", says="Which fields do not go together is said to people.")
def test_which_fields_conflict_is_told(connect: Connect) -> None:
    service = _service(connect)
    _needs(service, "q", "all")
    reply = service.search({"q": _word(), "all": "true"})
    if _application(reply) != "conflicting-fields":
        unsupported("the error conflicting-fields")
    require(reply.findtext("c:error/stanzas:text", "", NS).strip(), "a text in the error", reply)


@XEP.must("4.2.2.7", says="A search for nothing in particular is refused, and called so.")
@pytest.mark.parametrize("what", ["no-field", "order-alone"])
def test_no_conditions_are_refused(what: str, connect: Connect) -> None:
    service = _service(connect)
    fields = {"key": BY_ADDRESS} if what == "order-alone" else {}
    # The text and the example of §4.2.2.7 differ in the error's type.
    _is_refused(service.search(fields), {"bad-request": ""}, "no-search-conditions")
