"""The checks on RFC 6120, discovery and capabilities: a right client passes all, each turns red where one errs."""

from __future__ import annotations

import pytest

from lab import catalogue
from lab.record import CheckResult
from lab.verdict import Keyword, Outcome
from tests.scenarios.misbehaving import Way, outcomes

PROVIDERS = ("RFC 6120", "RFC 7590", "XEP-0030", "XEP-0115", "XEP-0368")
MODULES_OF_OTHERS = (
    "rfc-6120/client-answers-roster-push/without-from",
    "rfc-6120/client-answers-roster-push/from-own-account",
    "rfc-6120/client-does-not-answer-a-message-of-type-error",
    "rfc-6120/client-escapes-end-of-cdata",
)
WRONG_CERTIFICATES = ("untrusted", "wrong-name", "expired")


def _each(check: str, *parameters: str) -> tuple[str, ...]:
    return tuple(f"{check}/{parameter}" for parameter in parameters)


WAYS: dict[str, dict[str, tuple[str, ...]]] = {
    "rfc-6120": {
        "trusts-anybody": _each("client-refuses-a-wrong-certificate", *WRONG_CERTIFICATES),
        "trusts-nobody": ("client-accepts-the-right-certificate", "client-logs-in-with-nobody-between"),
        "plain-in-clear": _each("client-sends-no-plain-in-the-clear", "absent", "optional"),
        "logs-in-in-clear": ("client-takes-tls-before-the-login", "client-does-not-log-in-without-tls"),
        "no-restart-after-tls": ("client-restarts-the-stream-after-tls",),
        "believes-before-tls": ("client-forgets-what-came-before-tls",),
        "prefers-plain": _each(
            "client-prefers-scram", "SCRAM-SHA-1:PLAIN", "PLAIN:SCRAM-SHA-1", "PLAIN:SCRAM-SHA-256:SCRAM-SHA-1"
        ),
        "has-no-scram": ("client-logs-in-by-scram",),
        "has-no-plain": ("client-logs-in-by-plain-over-tls",),
        "tries-anything": ("client-tries-offered-mechanisms-alone",),
        "acts-as-itself": _each("client-sends-no-authorization-identity", "SCRAM-SHA-1", "PLAIN"),
        "believes-any-server": _each("client-asks-the-server-for-proof", "no-proof", "wrong-proof", "at-once"),
        "never-gives-up": _each(
            "client-gives-up-a-login-that-fails",
            *("not-authorized", "account-disabled", "temporary-auth-failure", "stanzalab-unheard-of"),
        ),
        "no-restart-after-sasl": ("client-restarts-the-stream-after-sasl",),
        "header-without-to": ("client-header-is-addressed",),
        "header-of-old-version": ("client-header-has-a-version",),
        "header-without-lang": ("client-header-has-a-language",),
        "header-with-bad-lang": ("client-header-language-is-a-tag",),
        "header-without-from": ("client-header-says-from-whom",),
        "header-of-a-server": ("client-header-has-the-namespaces",),
        "header-with-more": ("client-header-declares-no-other-namespace",),
        "header-undeclared": ("client-sends-an-xml-declaration",),
        "prefixes-stanzas": ("client-stanzas-have-no-prefix",),
        "talks-before-binding": ("client-binds-before-it-talks-to-others",),
        "goes-on-without-resource": ("client-does-not-go-on-without-a-resource",),
        "asks-the-other-domain": ("client-asks-the-other-host-for-the-same-domain",),
        "redirects-for-ever": ("client-does-not-follow-redirects-for-ever",),
        "keeps-its-resource": ("client-takes-the-resource-that-it-is-given",),
        "ignores-iq": (
            *("client-answers-iq-get", "client-answers-iq-set", "client-answers-an-iq-without-to"),
            *_each("client-answers-whoever-asks", "server", "account", "nobody", "other-resource", "stranger"),
        ),
        "answers-twice": ("client-answers-iq-get", "client-answers-iq-set"),
        "has-nothing-implemented": _each("client-refuses-an-unknown-payload", "get", "set"),
        "says-wait": ("client-cancels-what-is-unavailable",),
        "mangles-ids": _each("client-answers-with-the-very-id", "markup", "quotes", "unicode", "long"),
        "takes-any-type": _each("client-refuses-an-iq-without-a-known-type", "unknown", "absent"),
        "says-yes-to-anything": _each("client-answers-a-get-with-the-wrong-payload", "none", "two"),
        "answers-answers": _each("client-does-not-answer-an-answer", "result", "error"),
        "answers-stanza-errors": _each("client-does-not-answer-an-error", "message", "presence"),
        "knows-prefixes": ("client-understands-a-prefixed-payload",),
        "dies-of-messages": (
            *_each("client-reads-a-text", "cdata", "cdata-in-parts", "decimal-reference", "hexadecimal-reference"),
            *_each("client-reads-a-text", "predefined-entities", "four-byte-characters"),
            *_each("client-reads-a-text", "zero-width-no-break-space", "greater-than-as-it-is"),
            "client-reads-tags-as-xml-has-them",
            "client-puts-pieces-together",
            "client-takes-white-space-between-stanzas",
            "client-ignores-what-it-does-not-know/attribute",
        ),
        "shows-unknown-parts": _each(
            "client-ignores-what-it-does-not-know",
            "element-before",
            "element-behind",
            "attribute",
            "prefixed-element",
        ),
        "answers-unknown-messages": ("client-takes-an-unknown-message",),
        "refuses-unknown-messages": ("client-says-that-a-message-is-unknown",),
        "takes-foreign-stanzas": (
            *_each("client-takes-no-foreign-message", "jabber-server", "unknown"),
            "client-takes-no-prefixed-stanza",
        ),
        "drops-the-connection": (
            *_each("client-closes-at-prohibited-xml", "comment", "processing-instruction", "document-type"),
            *_each("client-closes-at-prohibited-xml", "entity-reference"),
            *_each("client-closes-at-what-is-no-xml", "tags-crossed", "attribute-twice", "bare-ampersand"),
            *_each("client-closes-after-a-stream-error", "system-shutdown", "policy-violation"),
            *_each("client-closes-after-a-stream-error", "unheard-of", "of-an-application"),
        ),
        "takes-undeclared-prefixes": ("client-takes-no-undeclared-prefix",),
        "stays": ("client-closes-when-the-server-does",),
        "never-offline": ("client-is-offline-after-a-stream-error",),
        "leaves-without-closing": ("client-closes-its-stream-on-logout",),
        "talks-behind-the-end": ("client-closes-its-stream-on-logout",),
    },
    "rfc-7590": {
        "trusts-anybody": ("client-authenticates-its-server",),
        "logs-in-in-clear": ("client-tries-tls-that-is-not-advertised",),
    },
    "xep-0368": {
        "trusts-anybody": _each("client-refuses-a-wrong-certificate-over-direct-tls", *WRONG_CERTIFICATES),
        "trusts-nobody": ("client-logs-in-over-direct-tls",),
        "names-another": ("client-names-the-domain-in-direct-tls",),
        "names-no-protocol": ("client-names-the-protocol-in-direct-tls",),
    },
    "xep-0030": {
        "ignores-iq": ("client-answers-info", "client-answers-items"),
        "is-nobody": ("client-info-has-identity-and-feature",),
        "hides-disco": ("client-info-lists-disco-info",),
        "without-type": ("client-identity-has-category-and-type",),
        "two-names": ("client-identities-differ",),
        "features-with-content": ("client-features-are-names",),
        "forgets-the-node": ("client-mirrors-the-node",),
        "knows-no-nodes": ("client-has-no-such-node",),
        "has-any-node": ("client-has-no-such-node",),
        "moody": ("client-identity-is-the-same-to-all",),
        "items-are-an-error": ("client-lists-its-items",),
        "items-without-jid": ("client-items-have-jids",),
        "asks-with-content": ("client-asks-by-an-empty-query",),
        "asks-without-node": ("client-asks-for-a-node",),
        "takes-anybodys-answer": ("client-takes-the-answer-of-whom-it-asked",),
    },
    "xep-0115": {
        "caps-without-hash": ("client-caps-have-hash-node-and-ver",),
        "caps-without-address": ("client-caps-node-is-an-address",),
        "caps-of-another": ("client-ver-is-the-hash-of-its-info",),
        "caps-of-odd-hash": ("client-caps-have-a-known-hash",),
        "hides-caps": ("client-info-lists-caps",),
        "sends-caps-once": ("client-sends-caps-with-every-presence", "client-sends-caps-with-directed-presence"),
        "lists-its-caps": ("client-does-not-list-the-caps-node",),
        "believes-nothing": ("client-believes-a-right-ver",),
        "asks-the-account": ("client-asks-at-a-node",),
        "asks-at-another-node": ("client-asks-at-the-caps-node",),
        "forgets-caps": ("client-remembers-a-right-ver",),
        "counts-any-form": ("client-leaves-out-a-form-without-type",),
        "believes-any-answer": ("client-believes-no-poisoned-ver",),
        "gives-a-ver-up": ("client-asks-the-next-after-a-poisoned-ver",),
        "believes-ill-formed": _each(
            "client-believes-no-ill-formed-info", "identity-twice", "feature-twice", "form-twice", "form-of-two-types"
        ),
        "remembers-any-hash": ("client-keeps-an-unknown-hash-to-one-contact",),
    },
}
"""Provider -> how the client misbehaves -> the checks that turn red."""

RED = [
    (way, f"{provider}/{check}") for provider, ways in WAYS.items() for way, names in ways.items() for check in names
]
UNSUPPORTED: list[Way] = [
    ("ignores-iq", "rfc-6120/client-cancels-what-is-unavailable"),
    ("", "rfc-6120/client-says-that-a-message-is-unknown"),
    ("sends-no-caps", "xep-0115/client-ver-is-the-hash-of-its-info"),
    ("believes-nothing", "xep-0115/client-believes-no-poisoned-ver"),
    ("forgets-direct-tls", "xep-0368/client-refuses-a-wrong-certificate-over-direct-tls/expired"),
    ("has-no-scram", "rfc-6120/client-prefers-scram/PLAIN:SCRAM-SHA-1"),
]
"""What a client does not do is no failure of it."""


def mine() -> list[str]:
    """The names of the checks that this module is about."""
    every = [c.name for c in catalogue.checks() if c.role == "client" and c.requirement.provider in PROVIDERS]
    return [name for name in every if name not in MODULES_OF_OTHERS]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[Way, CheckResult]:
    return outcomes([*(("", name) for name in mine()), *RED, *UNSUPPORTED], tmp_path_factory.mktemp("cell"))


def test_a_client_that_behaves_passes(results: dict[Way, CheckResult]) -> None:
    told = {name: results["", name] for name in mine() if ("", name) not in UNSUPPORTED}
    wrong = {name: (r.outcome, r.expected, r.seen, r.reason) for name, r in told.items() if r.outcome != "pass"}
    assert wrong == {}


def test_each_check_turns_red_where_the_client_misbehaves(results: dict[Way, CheckResult]) -> None:
    other = {}
    for way, name in RED:
        result = results[way, name]
        binding = result.check.requirement.keyword in {Keyword.MUST, Keyword.MUST_NOT}
        # A client that dies is a crash; a SHOULD that is missed is not strict, unless a standing rule fails, too.
        red = {Outcome.FAIL, Outcome.CRASH} if binding else {Outcome.NON_STRICT, Outcome.FAIL}
        if result.outcome not in red:
            other[way, name] = (result.outcome, result.expected, result.seen, result.reason)
    assert other == {}


def test_every_check_is_seen_to_turn_red() -> None:
    assert set(mine()) - {name for _, name in RED} == set()


@pytest.mark.parametrize(("way", "name"), UNSUPPORTED)
def test_what_a_client_does_not_do_is_no_failure(results: dict[Way, CheckResult], way: str, name: str) -> None:
    assert results[way, name].outcome is Outcome.UNSUPPORTED
