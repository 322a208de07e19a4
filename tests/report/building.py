"""Builds run records for the reports' tests: every outcome and expectation, and whatever a hostile subject sends."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from lab.record import CheckResult, Exit, Footer, Header, LogLine, Record, Strictness, TraceEntry, Writer, read
from lab.robustness import CampaignFacts, Found, Robust, Robustness
from lab.verdict import Check, Expectation, Keyword, Outcome, Requirement, Role

START = 1_795_000_000.0
HEADER_SENT = (
    "<?xml version='1.0'?><stream:stream to='lab.example' version='1.0' xmlns='jabber:client' "
    "xmlns:stream='http://etherx.jabber.org/streams'>"
)
HEADER_SEEN = (
    "<?xml version='1.0'?><stream:stream id='d5e1' version='1.0' xml:lang='en' from='lab.example' "
    "xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'><stream:features>"
    "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls></stream:features>"
)
REPLY = (
    "<iq type='result' id='q1' from='lab.example' to='u1@lab.example/r'>"
    "<query xmlns='http://jabber.org/protocol/disco#info'><identity category='server' type='im' name='Lab'/>"
    "<feature var='http://jabber.org/protocol/disco#info'/><feature var='urn:xmpp:ping'/></query></iq>"
)
HOSTILE = (
    "</pre></code></details><script>window.pwned=1</script><img src=x onerror=window.pwned=1>"
    "<a href='javascript:window.pwned=1'>x</a>{{ 7*7 }}\"' onmouseover='window.pwned=1"
    "\u202egnp.exe\u202c\x00\x07\x1b[31m\ufeff\u200b\ud800 \ufffe ]]> --> &amp; &#60;"
)


def traffic(
    *, start: float = START, ask: str = "<iq type='get' id='q1'/>", answer: str = REPLY
) -> tuple[TraceEntry, ...]:
    """A connection's trace; the answer comes in two fragments."""
    half = len(answer) // 2
    return (
        TraceEntry(start + 0.001, "alice", "note", "connected to 127.0.0.1:5222"),
        TraceEntry(start + 0.002, "alice", "sent", HEADER_SENT),
        TraceEntry(start + 0.004, "alice", "received", HEADER_SEEN),
        TraceEntry(start + 0.005, "alice", "sent", ask),
        TraceEntry(start + 0.007, "alice", "received", answer[:half]),
        TraceEntry(start + 0.008, "alice", "received", answer[half:]),
        TraceEntry(start + 0.009, "alice", "sent", "</stream:stream>"),
    )


def result(
    name: str,
    outcome: Outcome = Outcome.PASS,
    expectation: Expectation | None = None,
    *,
    section: str = "3.1",
    keyword: Keyword = Keyword.MUST,
    says: str = "an entity answers a request for what it supports with its identities and features",
    expected: str = "",
    seen: str = "",
    reason: str = "",
    known_reason: str = "",
    started: float = START,
    trace: tuple[TraceEntry, ...] | None = None,
    strictness: tuple[Strictness, ...] = (),
    role: Role = "server",
    blamed: str = "",
    informational: bool = False,
) -> CheckResult:
    """A check's result; provider and expectation follow from name and outcome unless they are given."""
    kind, _, number = name.partition("/")[0].partition("-")
    provider = f"RFC {number}" if kind == "rfc" else f"XEP-{number}"
    usual = Expectation.UNEXPECTED if outcome.bad else Expectation.EXPECTED
    return CheckResult(
        check=Check(name, Requirement(provider, "2.5.0", (section,), keyword, says), role),
        outcome=outcome,
        expectation=expectation or usual,
        started=started,
        duration=0.0123,
        expected=expected,
        seen=seen,
        reason=reason,
        known_reason=known_reason,
        trace=traffic(start=started) if trace is None else trace,
        strictness=strictness,
        blamed=blamed,
        informational=informational,
    )


def mentioned(name: str, outcome: Outcome, expectation: Expectation | None = None) -> CheckResult:
    """A result of a specification that the suite only mentions."""
    return result(name, outcome, expectation, seen="another answer", informational=True)


def mismatch(value: str = "a", *, count: int = 1, seen: str = "<iq type='result'/>") -> Strictness:
    """A schema's complaint about a value."""
    where = "Element '{jabber:client}iq', attribute 'type': [facet 'enumeration']"
    message = f"{where} The value '{value}' is not an element of the set."
    return Strictness("{jabber:client}iq", message, seen, count)


def every_kind() -> tuple[CheckResult, ...]:
    """One check at least of every outcome and every expectation."""
    return (
        result("rfc-6120/header-is-answered", section="4.2"),
        result("rfc-6120/unknown-iq-is-answered", section="8.4"),
        result(
            "rfc-6120/dtd-is-refused",
            Outcome.FAIL,
            section="11.1",
            keyword=Keyword.MUST_NOT,
            says="a document type declaration is answered with a stream error",
            expected="a stream error restricted-xml, and the end of the stream",
            seen="<message from='u2@lab.example/r' id='m1'><body>hello</body></message>",
        ),
        result(
            "rfc-6120/spoofed-from-is-refused",
            Outcome.FAIL,
            Expectation.KNOWN,
            section="8.1.2.1",
            says="a stanza from somebody else's address is refused",
            expected="a stream error invalid-from",
            seen="no answer within 2 s; the sentinel came back",
            known_reason="https://issues.example/1234: accepted on purpose until 14.0",
        ),
        result(
            "xep-0030/node-is-mirrored",
            Outcome.NON_STRICT,
            section="3.2",
            keyword=Keyword.SHOULD,
            says="a reply to a node bears that node",
            expected="query with node='a'",
            seen="query without node",
        ),
        result("xep-0030/items-of-unknown-node", Outcome.PASS, Expectation.FIXED, known_reason="fails since 0.12"),
        result("xep-0030/info-is-answered", strictness=(mismatch("it's", count=3),)),
        result(
            "xep-0115/caps-in-features",
            Outcome.UNSUPPORTED,
            section="6.3",
            reason="not advertised: no caps in stream features",
            trace=(),
        ),
        result(
            "xep-0114/wrong-secret",
            Outcome.IMPOSSIBLE,
            section="3",
            reason="the cell has no place for a component",
            trace=(),
        ),
        result(
            "xep-0163/huge-item",
            Outcome.CRASH,
            section="3",
            seen="the connection was lost",
            reason="the subject exited: signal 11",
        ),
        result(
            "xep-0163/notify", Outcome.FAIL, Expectation.FLAKY, section="4.3", seen="no event", known_reason="a race"
        ),
        result("rfc-7590/old-tls", Outcome.ERROR, section="3.1", reason="in call: KeyError: 'x'\n  File …"),
    )


def found(
    fingerprint: str = "answers-each-iq by valid {http://jabber.org/protocol/disco#info}query in iq get to server",
    expectation: Expectation = Expectation.UNEXPECTED,
    **changes: object,
) -> Found:
    """A finding; name, rule and the number of confirmations follow from the two unless they are given."""
    name = re.sub(r"[^a-z0-9]+", "-", fingerprint.lower()).strip("-")[:80] + "-1a2b3c4d"
    fields: dict[str, object] = {
        "fingerprint": fingerprint,
        "name": name,
        "rule": re.split(r"[ =]", fingerprint)[0],
        "where": "RFC 6120 §8.2.3",
        "says": "A request is answered by a result or an error.",
        "expected": "a result, or an error",
        "seen": "nothing came, while a sentinel behind it was answered",
        "sent": "<iq type='get' id='f1' to='lab.example'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>",
        "provider": "XEP-0030",
        "confirmed": 1 if expectation is Expectation.FLAKY else 3,
        "tries": 3,
        "expectation": expectation,
        "replay": f"stanzalab replay {name} --server prosody:13.0",
        "shrunk": True,
        "trace": tuple((e.at, e.session, e.direction, e.text) for e in traffic()),
    }
    return Found(**(fields | changes))  # type: ignore[arg-type]


NEW = found()
LISTED = found(
    "reply-is-right=condition by attribute-renamed {vcard-temp}vCard in iq set to account at vCard/@xmlns",
    Expectation.KNOWN,
    provider="XEP-0163",
    rule="reply-is-right",
    where="RFC 6120 §8.1, §8.3",
    says="A reply bears id and sender, an error type and condition.",
    sent="<iq type='set' id='f2'><vCard xmlns='vcard-temp'\u200b/></iq>\n<presence/>",
    operator="attribute-renamed",
    place="vCard/@xmlns",
    was="xmlns='vcard-temp'",
    became="xmlns='vcard-temp'\u200b",
    seen="<iq type='error' id='f2'><error type='modify'/></iq>",
    known_reason="https://issues.example/77: errors without a condition until 14.0",
)
FLAKY = found("answers-the-sentinel by a sequence of stanzas", Expectation.FLAKY, shrunk=False, provider="XEP-0115")
FINDINGS = (LISTED, FLAKY, NEW)
CAMPAIGN = CampaignFacts(
    seed=2021,
    seconds=60.0,
    sent=31_204,
    rate=612.4,
    memory_start=45_000_000,
    memory_peak=61_500_000,
    replay="stanzalab fuzz --server prosody:13.0",
    not_seen=("lives by *",),
)
ROBUSTNESS = (
    Robustness("RFC 6120", Robust.PASS, valid=600, malformed=634, payloads=4, operators=48, unconfirmed=2, avoided=5),
    Robustness("RFC 7590", Robust.NOT_TESTED, reason="Its subject is TLS, which no stanza touches."),
    Robustness("XEP-0030", Robust.FAIL, valid=9_000, malformed=6_000, findings=(NEW.fingerprint,)),
    Robustness("XEP-0115", Robust.FLAKY, valid=10, malformed=2, findings=(FLAKY.fingerprint,)),
    Robustness("XEP-0163", Robust.FAIL, valid=8_000, malformed=6_958, findings=(LISTED.fingerprint,)),
    Robustness("XEP-0368", Robust.NOT_TESTED, reason="Its subject is TLS, which no stanza touches."),
)
FUZZED: dict[str, Any] = {"findings": FINDINGS, "robustness": ROBUSTNESS, "campaign": CAMPAIGN}
"""For `write` and `record`: a campaign with a finding of each expectation."""


def hostile_campaign() -> dict[str, Any]:
    """For `write`, as `FUZZED`: everything that a campaign can say is an attack."""
    texts = (
        "rule",
        "where",
        "says",
        "expected",
        "seen",
        "operator",
        "place",
        "was",
        "became",
        "known_reason",
        "replay",
    )
    findings = tuple(
        found(
            f"lives={number} by {HOSTILE}",
            expectation,
            **dict.fromkeys(texts, HOSTILE),
            sent=f"<iq>{HOSTILE}</iq>\n  <presence/>" + "x" * 1_000_000 * number,
            name=HOSTILE * (number + 1),
            provider="RFC 6120",
            trace=((START, HOSTILE, "sent", f"<a>{HOSTILE}</a>" + HOSTILE * 20),),
        )
        for number, expectation in enumerate((Expectation.UNEXPECTED, Expectation.KNOWN, Expectation.FLAKY))
    )
    named = tuple(found.fingerprint for found in findings)
    return {
        "findings": findings,
        "robustness": (
            Robustness("RFC 6120", Robust.FAIL, valid=1, findings=named),
            Robustness("RFC 7590", Robust.NOT_TESTED, reason=HOSTILE),
        ),
        "campaign": replace(
            CAMPAIGN,
            memory=HOSTILE,
            stopped=HOSTILE,
            replay=HOSTILE,
            not_seen=(HOSTILE,),
        ),
    }


KNOWN_CHECKS = {
    "RFC 6120": 4,
    "RFC 7590": 1,
    "XEP-0030": 3,
    "XEP-0114": 1,
    "XEP-0115": 1,
    "XEP-0163": 2,
    "XEP-0368": 0,
}


def header(results: tuple[CheckResult, ...], **changes: object) -> Header:
    """The header of a run of these checks."""
    fields: dict[str, object] = {
        "lab": "0.1.0",
        "suite": "CS2021",
        "role": "server",
        "started": "2026-11-23T13:05:53+00:00",
        "seed": 7,
        "subject": {
            "name": "prosody",
            "title": "Prosody",
            "version": "13.0",
            "package": "prosody 13.0.1-1+deb13u1",
            "image": "stanzalab/prosody:13.0",
            "digest": "sha256:9f2b6c0d1e5a4b7c8d9e0f1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e",
        },
        "domain": "lab.example",
        "engine": "docker",
        "replay": "make lab SERVER=prosody",
        "selected": tuple(r.check.name for r in results),
        "known_checks": KNOWN_CHECKS,
        "rows": (),
        "provides": {"XEP-0163": "mod_pep", "XEP-0115": "mod_disco"},
        "advertised": {"XEP-0030": ["server http://jabber.org/protocol/disco#info"], "XEP-0115": []},
        "round_trip": 0.0004,
        "patience": 2.0,
    }
    return Header(**(fields | changes))  # type: ignore[arg-type]


def write(
    path: Path,
    results: tuple[CheckResult, ...],
    *,
    log: tuple[LogLine, ...] = (),
    exits: tuple[Exit, ...] = (),
    findings: tuple[Found, ...] = (),
    robustness: tuple[Robustness, ...] = (),
    campaign: CampaignFacts | None = None,
    finished: bool = True,
    **changes: object,
) -> Path:
    """A record file, written by the lab's own writer."""
    with Writer(path, header(results, **changes)) as writer:
        for line in log:
            writer.log(line)
        for one in results:
            writer.check(one)
        for one_found in findings:
            writer.finding(one_found)
        for provider in robustness:
            writer.robustness(provider)
        if campaign:
            writer.campaign(campaign)
        for gone in exits:
            writer.exit(gone)
        if finished:
            counts = {o.value: sum(r.outcome is o for r in results) for o in Outcome}
            writer.footer(Footer("2026-11-23T13:06:05+00:00", 12.34, counts, 1))
    return path


def record(path: Path, results: tuple[CheckResult, ...] | None = None, **more: object) -> Record:
    """A record as read back."""
    log = (LogLine(START + 0.003, "c2s55: Client connected"), LogLine(START + 0.006, "c2s55: Received <iq>"))
    chosen = every_kind() if results is None else results
    return read(write(path, chosen, **({"log": log} | more)))  # type: ignore[arg-type]
