"""XEP-0313 §8.1: nobody else is shown an account's archive; and its owner says what goes into it (XEP-0441)."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from lab.plugin import Connect, impossible, require, require_equal, require_error, require_result, unsupported
from lab.wire.namespaces import ARCHIVE, NS, ROSTER
from lab.wire.session import Session, stanza_error_condition
from lab.wire.stream import Element
from scenarios.server._contacts import appear, befriend
from scenarios.server.xep0313._archive import MAM, Archive, exchange, filled, holds, own_archive, paging, without

WHO = pytest.mark.parametrize("who", ["stranger", "contact"])
QUERIES = {
    "all": ({}, ""),
    "with-oneself": ({"with": "{asking}"}, ""),
    "last-page": ({}, paging(1, before="")),
}


def _other(who: str, archive: Archive, connect: Connect) -> Archive:
    """The archive as somebody else would see it, in front of whom its owner is available."""
    other = connect(label=who)
    if who == "contact":
        befriend(archive.session, other)
        appear(other)
    appear(archive.session)
    return archive.seen_by(other)


@WHO
@pytest.mark.parametrize("query", QUERIES)
@MAM.must("8.1", says="Who asks for somebody else's archive gets an error, and nothing of the archive.")
def test_others_are_refused(query: str, who: str, connect: Connect) -> None:
    archive = filled(connect, "account", 2)
    asking = _other(who, archive, connect)
    exchange(archive.session, asking.session, "said to you")
    form, within = QUERIES[query]
    reply = asking.refused(
        {name: value.format(asking=asking.session.bare_jid) for name, value in form.items()}, within
    )
    require_error(reply)
    for text in archive.texts:
        without(asking, text, reply)


@WHO
@MAM.should("8.1", says="The error for who asks for somebody else's archive is forbidden.")
def test_refusal_is_forbidden(who: str, connect: Connect) -> None:
    archive = filled(connect, "account", 1)
    require_error(_other(who, archive, connect).refused(), "forbidden")


@MAM.must("8.1", says="A component of the server (XEP-0114) is refused an account's archive.")
def test_component_is_refused(component_session: Session, connect: Connect) -> None:
    archive = filled(connect, "account", 1)
    sender = f"somebody@{component_session.jid}"
    reply = component_session.iq(
        "set", f"<query xmlns='{ARCHIVE}' queryid='q'/>", to=archive.jid, attributes=f" from='{sender}'"
    )
    require_error(reply)
    without(archive.seen_by(component_session), archive.texts[0], reply)


@MAM.must(
    "3.3.1", "8.1", says="Each resource of the account is shown its archive, and each of them is answered itself."
)
def test_each_resource_is_answered(connect: Connect) -> None:
    account = connect.account()
    archive = filled(connect, "account", 2, account=account)
    other = archive.seen_by(connect(account=account, label="other"))
    for seen in (archive, other):
        holds(seen, archive.texts)


# --- preferences


def _prefs(reply: Element) -> tuple[str, list[str], list[str]]:
    """Default, and who is always and who is never archived, as an answer says it."""
    require_result(reply)
    prefs = reply.find("mam:prefs", NS)
    if prefs is None:
        require(False, "<prefs/> in the answer", reply)
        return "", [], []
    lists = []
    for name in ("always", "never"):
        require(len(prefs.findall(f"mam:{name}", NS)) == 1, f"one <{name}/>", reply)
        lists.append(sorted(jid.text or "" for jid in prefs.iterfind(f"mam:{name}/mam:jid", NS)))
    default = prefs.get("default", "")
    require(default in {"always", "never", "roster"}, "a default: always, never or roster", reply)
    return default, lists[0], lists[1]


def _archive_with_preferences(connect: Connect) -> Archive:
    """An archive whose owner can say what goes into it; else the check is `unsupported`."""
    archive = own_archive(connect)
    reply = archive.session.iq("get", f"<prefs xmlns='{ARCHIVE}'/>")
    if reply.get("type") == "error":
        unsupported(f"<prefs xmlns='{ARCHIVE}'/>: {stanza_error_condition(reply)}")
    return archive


def _prefer(
    archive: Archive, default: str, *, always: Sequence[str] = (), never: Sequence[str] = ()
) -> tuple[str, list[str], list[str]]:
    """Set preferences; answers those that were applied, which may be others: then the check is `impossible`."""
    lists = "".join(
        f"<{name}>{''.join(f'<jid>{jid}</jid>' for jid in jids)}</{name}>"
        for name, jids in (("always", always), ("never", never))
    )
    reply = archive.session.iq("set", f"<prefs xmlns='{ARCHIVE}' default='{default}'>{lists}</prefs>")
    if reply.get("type") == "error":
        impossible(f"these preferences may not be set: {stanza_error_condition(reply)}")
    applied = _prefs(reply)
    if applied != (default, sorted(always), sorted(never)):
        impossible(f"the server applied other preferences, as it may: {applied}")
    return applied


@MAM.should("8.1", says="The preferences tell a default, and whom to archive always and never (XEP-0441 §2.1).")
def test_preferences_are_told(connect: Connect) -> None:
    archive = _archive_with_preferences(connect)
    _prefs(archive.session.iq("get", f"<prefs xmlns='{ARCHIVE}'/>"))


@pytest.mark.parametrize("default", ["always", "never", "roster"])
@MAM.should("8.1", says="Preferences that were applied are told when they are asked for (XEP-0441 §2.1).")
def test_preferences_are_kept(default: str, connect: Connect) -> None:
    archive = _archive_with_preferences(connect)
    applied = _prefer(archive, default, always=["one@nowhere.invalid"], never=["other@nowhere.invalid"])
    require_equal(_prefs(archive.session.iq("get", f"<prefs xmlns='{ARCHIVE}'/>")), applied, "the preferences")
    applied = _prefer(archive, "always")
    require_equal(_prefs(archive.session.iq("get", f"<prefs xmlns='{ARCHIVE}'/>")), applied, "the preferences")


def _talk(archive: Archive, contact: Session, text: str) -> list[str]:
    """A message each way."""
    texts = [f"{text} sent", f"{text} received"]
    exchange(archive.session, contact, texts[0])
    exchange(contact, archive.session, texts[1])
    return texts


@pytest.mark.parametrize("default", ["always", "roster"])
@MAM.should("8.1", says="Of whom the user does not want it nothing is archived, sent or received (XEP-0441 §2.1.3).")
def test_never_is_heeded(default: str, connect: Connect) -> None:
    archive, bob, carol = _archive_with_preferences(connect), connect(label="bob"), connect(label="carol")
    befriend(archive.session, bob)
    befriend(archive.session, carol)
    _prefer(archive, default, never=[bob.bare_jid])
    _talk(archive, bob, "bob")
    holds(archive, _talk(archive, carol, "carol"))


@MAM.should("8.1", says="A full JID on a list stands for that resource alone (XEP-0441 §2.3.1).")
def test_never_of_a_resource_is_heeded(connect: Connect) -> None:
    archive, account = _archive_with_preferences(connect), connect.account()
    first, second = connect(account=account, label="bob"), connect(account=account, label="bob's other")
    _prefer(archive, "always", never=[first.jid])
    _talk(archive, first, "first")
    holds(archive, _talk(archive, second, "second"))


@pytest.mark.parametrize("default", ["never", "roster"])
@MAM.should("8.1", says="With whom the user wants it everything is archived, sent and received (XEP-0441 §2.1.2).")
def test_always_is_heeded(default: str, connect: Connect) -> None:
    archive, bob, carol = _archive_with_preferences(connect), connect(label="bob"), connect(label="carol")
    _prefer(archive, default, always=[bob.bare_jid])
    wanted = _talk(archive, bob, "bob")
    _talk(archive, carol, "carol")
    holds(archive, wanted)


@pytest.mark.parametrize("default", ["always", "never"])
@MAM.should("8.1", says="Of those on no list, all are archived, or none is, as the default has it (XEP-0441 §2.1.1).")
def test_default_is_heeded(default: str, connect: Connect) -> None:
    archive, bob = _archive_with_preferences(connect), connect(label="bob")
    _prefer(archive, "always")
    before = _talk(archive, bob, "before")
    _prefer(archive, default)
    texts = _talk(archive, bob, "then")
    holds(archive, before + (texts if default == "always" else []))


@MAM.should(
    "8.1", says="By the default 'roster', those in the roster are archived, and nobody else (XEP-0441 §2.1.1)."
)
def test_roster_is_heeded(connect: Connect) -> None:
    archive, bob, carol = _archive_with_preferences(connect), connect(label="bob"), connect(label="carol")
    befriend(archive.session, bob)
    require_result(archive.session.iq("get", f"<query xmlns='{ROSTER}'/>"))
    _prefer(archive, "roster")
    wanted = _talk(archive, bob, "bob")
    _talk(archive, carol, "carol")
    holds(archive, wanted)


@MAM.should("8.1", says="Who is in the roster without a subscription is in the roster, too (XEP-0441 §2.1.1).")
def test_roster_without_subscription_is_heeded(connect: Connect) -> None:
    archive, bob = _archive_with_preferences(connect), connect(label="bob")
    item = f"<query xmlns='{ROSTER}'><item jid='{bob.bare_jid}'/></query>"
    require_result(archive.session.iq("set", item))
    _prefer(archive, "roster")
    holds(archive, _talk(archive, bob, "bob"))


@MAM.must("8.1", says="Nobody else is told an account's preferences, or changes them (XEP-0441 §2.1).")
@pytest.mark.parametrize("kind", ["get", "set"])
def test_preferences_of_others_are_refused(kind: str, connect: Connect) -> None:
    archive, stranger = _archive_with_preferences(connect), connect(label="stranger")
    applied = _prefer(archive, "always", never=["secret@nowhere.invalid"])
    empty = "<always/><never/>" if kind == "set" else ""
    reply = stranger.iq(kind, f"<prefs xmlns='{ARCHIVE}' default='never'>{empty}</prefs>", to=archive.jid)
    without(archive.seen_by(stranger), "secret@nowhere.invalid", reply)
    require_equal(_prefs(archive.session.iq("get", f"<prefs xmlns='{ARCHIVE}'/>")), applied, "the preferences")
