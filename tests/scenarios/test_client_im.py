"""The checks on messaging: a client that behaves passes them all, and each turns red where one does not."""

from __future__ import annotations

import pytest

from lab import catalogue
from lab.record import CheckResult
from lab.verdict import Keyword, Outcome
from scenarios.client._played import FORGERS
from tests.scenarios.misbehaving import Way, outcomes

PROVIDERS = ("RFC 6121", "XEP-0163", "XEP-0184", "XEP-0198", "XEP-0280", "XEP-0308", "XEP-0313")
KINDS = ("received", "sent")
FORGED = {
    "anybody": FORGERS,
    "own-resources": ("own-resource", "own-other-resource"),
    "server": ("server",),
    "own-prefix": ("longer-domain", "own-resource"),
    "own-suffix": ("own-account-as-resource",),
}
"""Who is believed -> who can then pass for the own account."""


def _forged(way: str, check: str) -> dict[str, tuple[str, ...]]:
    return {way.format(who): tuple(check.format(name) for name in names) for who, names in FORGED.items()}


WAYS: dict[str, dict[str, tuple[str, ...]]] = {
    "rfc-6121": {
        "roster-after-presence": ("client-asks-for-roster-before-presence",),
        "asks-with-item": ("client-roster-get-has-no-item",),
        "sends-version": ("client-sends-no-roster-version-unasked",),
        "shows-no-roster": ("client-shows-roster",),
        "mute-before-roster": ("client-shows-a-message-before-a-silent-server",),
        "believes-odd-subscriptions": tuple(
            f"client-ignores-an-odd-subscription/{value}" for value in ("remove", "lab-unknown")
        ),
        "remembers-version": ("client-keeps-an-unasked-roster-version",),
        "applies-no-push": tuple(f"client-applies-roster-push/{way}" for way in ("without-from", "from-own-account")),
        "keeps-removed": ("client-removes-contact-by-push",),
        "believes-anybody": tuple(f"client-ignores-forged-removal/{who}" for who in ("stranger", "contact")),
        **_forged("roster-of-{}", "client-ignores-forged-roster-push/{}"),
        "sets-two-items": ("client-roster-set-has-one-item",),
        "sets-ask": ("client-roster-set-leaves-server-its-attributes",),
        "removes-nothing": ("client-removes-contact",),
        "hides-requests": ("client-shows-subscription-request",),
        "approves-anybody": ("client-approves-nobody-by-itself",),
        "accepts-full-jid": ("client-approves-subscription",),
        "refuses-by-accepting": ("client-refuses-subscription",),
        "without-id": ("client-approval-has-id", "client-subscription-request-has-id"),
        "mirrors-id": ("client-approval-has-id-of-its-own",),
        "asks-full-jid": ("client-asks-for-subscription",),
        "unsubscribes-nobody": ("client-unsubscribes",),
        "stays-away": ("client-sends-initial-presence",),
        "hides-presence": ("client-shows-available-contact",),
        "never-unavailable": ("client-shows-unavailable-contact",),
        "bare-is-nobody": ("client-takes-bare-unavailable-for-all",),
        "error-is-available": ("client-shows-no-availability-for-error",),
        "loses-status": ("client-sends-presence",),
        "probes": ("client-sends-no-probe",),
        "goes-in-silence": ("client-says-that-it-goes",),
        "goes-with-show": ("client-unavailable-presence-has-no-show",),
        "hides-chat-messages": ("client-shows-message/chat",),
        "hides-headline-messages": ("client-shows-message/headline",),
        "hides-normal-messages": ("client-shows-message/normal",),
        "hides-unknown": tuple(f"client-takes-other-types-for-normal/{kind}" for kind in ("none", "unknown")),
        "all-is-chat": ("client-shows-message/headline", "client-takes-other-types-for-normal/unknown"),
        "shows-errors": ("client-shows-no-error-as-message",),
        "shows-empty": ("client-shows-no-message-without-body",),
        "shows-all-bodies": ("client-shows-one-of-several-bodies",),
        "garbles": ("client-sends-message/chat",),
        "sends-headlines": ("client-sends-message/chat", "client-sends-message/normal"),
        "two-threads": ("client-message-has-one-thread",),
        "guesses-resource": ("client-begins-chat-with-bare-jid",),
    },
    "rfc-6120": {
        "leaves-cdata-end": ("client-escapes-end-of-cdata",),
        "answers-no-push": tuple(f"client-answers-roster-push/{way}" for way in ("without-from", "from-own-account")),
        "answers-errors": ("client-does-not-answer-a-message-of-type-error",),
    },
    "xep-0163": {
        "publishes-elsewhere": ("client-publishes-to-own-account",),
        "publishes-twice": ("client-publishes-item",),
        "discovers-nothing": ("client-discovers-own-account-before-publishing",),
        "hides-nicks": ("client-shows-event-of-contact",),
        "believes-publisher": ("client-ignores-event-in-contacts-name/publisher",),
        "believes-replyto": ("client-ignores-event-in-contacts-name/replyto",),
        "believes-resource": ("client-ignores-event-in-contacts-name/nobody",),
    },
    "xep-0184": {
        "messages-without-id": ("client-receipt-request-has-id",),
        "never-acknowledges-messages": ("client-returns-receipt",),
        "receipts-another": ("client-receipt-names-message",),
        "receipts-elsewhere": ("client-receipt-names-message",),
        "receipt-stores": ("client-receipt-is-alone",),
        "receipt-asks": ("client-receipt-asks-for-none",),
        "claims-no-receipts": ("client-advertises-receipts",),
        "receipts-for-errors": ("client-returns-no-receipt-for-error",),
        "receipts-unasked": ("client-returns-no-receipt-unasked",),
        "receipts-for-receipts": ("client-returns-no-receipt-for-receipt",),
        "receipts-for-strangers": ("client-returns-no-receipt-to-stranger",),
        "receipts-for-archived": ("client-returns-no-receipt-for-archived",),
        "hides-receipts": ("client-shows-receipt/chat", "client-shows-receipt/normal"),
        "receipts-of-anybody": ("client-ignores-receipt-of-another",),
    },
    "xep-0198": {
        "enables-early": ("client-enables-after-bind",),
        "enables-twice": ("client-enables-once",),
        "never-acknowledges": ("client-acknowledges",),
        "counts-wrong": ("client-counts-stanzas",),
        "counts-requests": ("client-counts-stanzas",),
        "counts-from-enable": ("client-counts-from-enabled",),
        "believes-any-count": ("client-refuses-acknowledgement-of-what-it-never-sent",),
        "gives-up": ("client-goes-on-without-stream-management",),
        "leaves-unacknowledged": ("client-acknowledges-before-it-goes",),
        "resumes-wrong": ("client-resumes-by-name-and-number",),
        "forgets-what-was-lost": ("client-sends-again-what-was-lost",),
        "begins-anew": ("client-begins-nothing-anew-when-resumed",),
    },
    "xep-0280": {
        "enables-elsewhere": ("client-enables-carbons",),
        "hides-received": ("client-shows-received-copy",),
        "hides-sent": ("client-shows-sent-copy",),
        "sent-as-received": ("client-shows-sent-copy",),
        "carbons-of-anybody": tuple(f"client-ignores-forged-copy/{who}-{kind}" for who in FORGERS for kind in KINDS),
        "answers-sent": ("client-does-not-answer-sent-copy",),
        "answers-received": ("client-does-not-answer-received-copy",),
        "says-gone": ("client-ends-no-chat-at-logout",),
    },
    "xep-0308": {
        "corrects-another": ("client-correction-names-message",),
        "corrects-with-same-id": ("client-correction-has-id-of-its-own",),
        "corrects-elsewhere": ("client-correction-keeps-type-and-recipient",),
        "corrects-as-normal": ("client-correction-keeps-type-and-recipient",),
        "corrects-last": ("client-second-correction-names-first-message",),
        "claims-no-correction": ("client-advertises-correction",),
        "knows-no-correction": tuple(f"client-shows-correction/{which}-resource" for which in ("same", "other")),
        "same-resource-only": ("client-shows-correction/other-resource",),
        "corrects-anybody": ("client-ignores-correction-by-another", "client-ignores-correction-by-another-occupant"),
        "corrects-in-rooms": ("client-ignores-correction-by-another-occupant",),
        "dies-of-itself": ("client-survives-correction-of-itself",),
    },
    "xep-0313": {
        "asks-server": ("client-queries-own-archive",),
        "no-rsm": ("client-limits-results",),
        "form-without-type": ("client-filters-by-contact",),
        "asks-for-groupchat": ("client-asks-for-no-groupchat-unadvertised",),
        "asks-for-ids": ("client-uses-no-extension-unadvertised",),
        "backwards": ("client-shows-archive-in-order",),
        "results-of-anybody": tuple(f"client-ignores-forged-result/{who}" for who in FORGERS),
        "any-query": ("client-ignores-result-of-another-query",),
        "shows-any-result": tuple(
            f"client-ignores-unsolicited-result/{who}" for who in ("own-account", "stranger", "contact")
        ),
        "shows-results-unasked": ("client-ignores-unsolicited-result/stranger",),
    },
}
"""Specification -> how the fake client misbehaves -> the checks that must turn red."""

BAD = [(way, f"{name}/{check}") for name, of in WAYS.items() for way, checks in of.items() for check in checks]
WANTED = dict.fromkeys(Keyword, Outcome.FAIL) | dict.fromkeys(
    (Keyword.SHOULD, Keyword.SHOULD_NOT, Keyword.MAY), Outcome.NON_STRICT
)
Results = dict[Way, CheckResult]


def _ours() -> list[str]:
    mine = [c.name for c in catalogue.checks() if c.role == "client" and c.requirement.provider in PROVIDERS]
    return mine + [f"rfc-6120/{name}" for names in WAYS["rfc-6120"].values() for name in names]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """What came of all checks on the client that behaves, and of each on the one that does not."""
    return outcomes([("", name) for name in _ours()] + BAD, tmp_path_factory.mktemp("misbehaving"))


def test_a_client_that_behaves_passes_every_check(results: Results) -> None:
    good = {check: result for (way, check), result in results.items() if not way}
    assert sorted(good) == sorted(_ours())
    assert {
        name: (r.outcome, r.expected, r.seen, r.reason) for name, r in good.items() if r.outcome is not Outcome.PASS
    } == {}


@pytest.mark.parametrize(("way", "check"), BAD)
def test_what_a_client_does_wrong_turns_the_check_red(results: Results, way: str, check: str) -> None:
    result = results[way, check]
    wanted = Outcome.CRASH if way == "dies-of-itself" else WANTED[result.check.requirement.keyword]
    assert result.outcome is wanted, (result.outcome, result.seen, result.reason)


def test_every_check_has_a_client_that_fails_it() -> None:
    assert {check for _, check in BAD} == set(_ours())
