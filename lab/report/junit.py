"""A run as JUnit XML, the way CI systems read it: red where the run is red.

A listed failure is skipped and a fixed one fails, as pytest does with `xfail` and its strict mode; one that is only
informational is skipped, and says so. A finding is a case of its own, skipped where it is listed or flaky. A run that
did not finish is an error of its own. Whatever a subject sent is XML 1.0 here.
"""

from __future__ import annotations

from lxml import etree

from lab.record import CheckResult
from lab.report import words
from lab.report.judgement import FINDING, Judgement
from lab.report.visible import cut, plain
from lab.robustness import Found
from lab.verdict import Expectation, Outcome

ANSWER = 8_000  # characters of expected and seen

Element = etree._Element


def rendered(judgement: Judgement) -> bytes:
    """The document, in UTF-8."""
    header = judgement.record.header
    root = etree.Element("testsuites", name=plain(f"{header.suite} {header.subject.get('name', '?')}"))
    root.append(_run(judgement))
    for provider, results in judgement.providers.items():
        root.append(_suite(provider, [_case(judgement, result) for result in results], header.started))
    if judgement.fuzzed:
        root.append(_campaign(judgement))
    for count in ("tests", "failures", "errors", "skipped"):
        root.set(count, str(sum(int(suite.get(count, "0")) for suite in root)))
    root.set("time", f"{judgement.duration:.3f}")
    return etree.tostring(root, encoding="utf-8", xml_declaration=True, pretty_print=True)


def _run(judgement: Judgement) -> Element:
    """The run itself: its facts as properties, and as a case whether it finished."""
    record = judgement.record
    case = etree.Element("testcase", classname="stanzalab", name="the run finished", time=f"{judgement.duration:.3f}")
    if not record.finished:
        _say(case, "error", "unfinished", "the run record has no footer")
    missing = [_missing(name) for name in record.missing]
    suite = _suite("stanzalab", [case, *missing], record.header.started)
    facts = {f"subject.{key}": value for key, value in record.header.subject.items()}
    facts |= {"suite": record.header.suite, "role": record.header.role, "lab": record.header.lab}
    facts |= {"seed": str(record.header.seed), "engine": record.header.engine, "replay": record.header.replay}
    suite.insert(0, _properties(facts))
    return suite


def _missing(name: str) -> Element:
    case = etree.Element("testcase", classname="stanzalab", name=plain(name), time="0.000")
    _say(case, "error", "no result", "selected, but without a result")
    return case


def _suite(name: str, cases: list[Element], started: str) -> Element:
    suite = etree.Element("testsuite", name=plain(name), timestamp=plain(started)[:19])
    for kind, tag in {"failures": "failure", "errors": "error", "skipped": "skipped"}.items():
        suite.set(kind, str(sum(case.find(tag) is not None for case in cases)))
    suite.set("tests", str(len(cases)))
    suite.set("time", f"{sum(float(case.get('time', '0')) for case in cases):.3f}")
    suite.extend(cases)
    return suite


def _case(judgement: Judgement, result: CheckResult) -> Element:
    requirement = result.check.requirement
    case = etree.Element(
        "testcase",
        classname=plain(requirement.provider),
        name=plain(result.check.name),
        time=f"{result.duration:.3f}",
    )
    facts = {
        "section": words.where(requirement),
        "keyword": requirement.keyword,
        "outcome": result.outcome,
        "expectation": result.expectation,
        "informational": "yes" if result.informational else "",
    }
    case.append(_properties(facts))
    verdict = _verdict(result)
    if verdict:
        _say(case, verdict, result.outcome, _message(result), _text(judgement, result))
    return case


def _verdict(result: CheckResult) -> str:
    """`failure`, `error`, `skipped`, or nothing where the case passes."""
    if result.outcome is Outcome.ERROR:
        return "error"
    if result.gates:
        return "failure"
    if result.outcome.bad or result.outcome in {Outcome.UNSUPPORTED, Outcome.IMPOSSIBLE}:
        return "skipped"
    return ""


def _message(result: CheckResult) -> str:
    if result.expectation is Expectation.FIXED:
        return f"listed as failing, but passes: mend the list ({result.known_reason})"
    if result.expectation in {Expectation.KNOWN, Expectation.FLAKY} and result.known_reason:
        return f"{result.expectation}: {result.known_reason}"
    if result.outcome.bad and not result.binding:
        return f"informational: {result.seen or result.reason or result.outcome}"
    return result.seen or result.reason or result.outcome


def _text(judgement: Judgement, result: CheckResult) -> str:
    requirement = result.check.requirement
    lines = {
        f"{words.where(requirement)} {requirement.keyword}": requirement.says,
        "expected": result.expected,
        "seen": result.seen,
        "blamed": result.blamed,
        "reason": result.reason,
        "listed": result.known_reason,
        "replay": judgement.replay(result.check.name),
    }
    return _lines(lines)


def _campaign(judgement: Judgement) -> Element:
    """The findings, and as a case of its own whether the campaign kept to its time and the subject to its memory."""
    campaign = judgement.record.campaign
    case = etree.Element("testcase", classname="robustness", name=f"{FINDING}campaign", time="0.000")
    facts: dict[str, str] = {}
    if campaign is None:
        _say(case, "error", "unfinished", "the campaign was interrupted")
    else:
        case.set("time", f"{campaign.seconds:.3f}")
        facts = {key: str(getattr(campaign, key)) for key in ("sent", "rate", "seed", "exits", "replay")}
        facts |= {"memory_start": str(campaign.memory_start), "memory_peak": str(campaign.memory_peak)}
        if campaign.memory:
            _say(case, "failure", "memory", campaign.memory)
        elif campaign.stopped:
            _say(case, "error", "stopped", campaign.stopped)
    cases = [case, *(_found(found) for found in judgement.findings)]
    suite = _suite("robustness", cases, judgement.record.header.started)
    suite.insert(0, _properties(facts))
    return suite


def _found(found: Found) -> Element:
    case = etree.Element("testcase", classname=plain(found.provider), name=plain(FINDING + found.name), time="0.000")
    facts = {"section": found.where, "rule": found.rule, "expectation": found.expectation.value}
    case.append(_properties(facts | {"fingerprint": found.fingerprint}))
    unexpected = found.expectation is Expectation.UNEXPECTED
    message = found.seen if unexpected else f"{found.expectation}: {found.known_reason or found.seen}"
    lines = {
        f"{found.where} {found.rule}": found.says,
        "sent": found.sent,
        "wrong": words.broken(found),
        "expected": found.expected,
        "seen": found.seen,
        "shown": words.confirmed(found),
        "listed": found.known_reason,
        "replay": found.replay,
    }
    _say(case, "failure" if unexpected else "skipped", found.rule, message, _lines(lines))
    return case


def _lines(said: dict[str, str]) -> str:
    return "\n".join(f"{label}: {cut(text, ANSWER)}" for label, text in said.items() if text)


def _say(case: Element, tag: str, kind: str, message: str, text: str = "") -> None:
    child = etree.SubElement(case, tag, message=plain(cut(message, 400)), type=plain(kind))
    child.text = plain(text, lines=True) or None


def _properties(facts: dict[str, str]) -> Element:
    properties = etree.Element("properties")
    properties.extend(_property(name, value) for name, value in facts.items() if value)
    return properties


def _property(name: str, value: str) -> Element:
    return etree.Element("property", name=plain(name), value=plain(value))
