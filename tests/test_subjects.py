"""Subjects as data: what is read, what is refused and in which words."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lab.cell import Endpoint
from lab.errors import UsageError
from lab.subjects import all_subjects, fill, find
from lab.subjects.known import (
    Known,
    KnownFinding,
    entry_for,
    expectation_of_finding,
    known,
    known_findings,
    listed,
    not_seen,
)
from lab.subjects.subject_file import read
from lab.verdict import Expectation, Outcome

SUBJECT = """\
name = "mine"
title = "Mine"
role = "server"
homepage = "https://mine.example/"
engines = ["docker", "local"]
default = "2.0"

[versions."2.0"]
base = "trixie"
provides = { XEP-0156 = "altconnect" }

[versions."1.0"]
base = "bookworm"
provides = { XEP-0198 = "", XEP-0030 = "old disco" }

[ports]
c2s = 5222
https = 5281

[ready]
port = "c2s"
send = "<stream to='{domain}'>"
expect = "<features"
within = 7

[services]
muc = "rooms.{domain}"

[component]
domain = "bridge.{domain}"
secret = "hush"

[accounts]
method = "command"
command = ["add", "{user}", "{domain}", "{password}"]

[admin]
localpart = "root"
password = "toor"
command = ["promote", "{user}"]

[container]
command = ["serve"]
memory = "64m"
tmpfs = { "/run" = "mode=1777" }

[files]
"mine.conf.j2" = "/etc/mine.conf"

[local]
requirements = ["mine=={version}"]
command = ["{venv}/bin/mine"]

[provides]
XEP-0030 = "disco"
XEP-0198 = "smacks"
"""
TEMPLATE = "{{ domain }} {{ version }} {{ base }} {{ services.muc }} {{ component.domain }} {{ admin.password }}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "subject.toml").write_text(SUBJECT)
    (folder / "mine.conf.j2").write_text(TEMPLATE)
    return folder


def change(folder: Path, old: str, new: str) -> None:
    file = folder / "subject.toml"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


def refusal(folder: Path) -> UsageError:
    with pytest.raises(UsageError) as caught:
        read(folder)
    assert str(folder / "subject.toml") in caught.value.message
    return caught.value


def test_a_folder_of_ones_own_is_a_subject(folder: Path) -> None:
    subject = find(str(folder))
    assert (subject.name, subject.version, subject.versions) == ("mine", "2.0", ("2.0", "1.0"))
    assert subject.engines == ("docker", "local")
    assert subject.ports == {"c2s": 5222, "https": 5281}
    assert subject.ready.within == 7.0
    assert subject.accounts.command == ("add", "{user}", "{domain}", "{password}")
    assert subject.admin is not None
    assert subject.admin.command == ("promote", "{user}")
    assert subject.container is not None
    assert (subject.container.memory, subject.container.tmpfs) == ("64m", {"/run": "mode=1777"})
    assert subject.local is not None
    assert subject.local.requirements == ("mine=={version}",)
    assert subject.services_of("lab.test") == {"muc": "rooms.lab.test"}


def test_a_version_lays_its_own_over_what_all_provide(folder: Path) -> None:
    assert find(str(folder)).provides == {"XEP-0030": "disco", "XEP-0198": "smacks", "XEP-0156": "altconnect"}
    assert find(f"{folder}:1.0").provides == {"XEP-0030": "old disco"}


def test_templates_see_domain_version_and_options(folder: Path) -> None:
    assert find(f"{folder}:1.0").render("mine.conf.j2", domain="lab.test") == (
        "lab.test 1.0 bookworm rooms.lab.test bridge.lab.test toor"
    )


def test_a_template_with_an_undefined_name_is_refused(folder: Path) -> None:
    (folder / "mine.conf.j2").write_text("{{ flavour }}")
    with pytest.raises(UsageError, match="does not render") as caught:
        find(str(folder)).render("mine.conf.j2", domain="lab.test")
    assert str(folder / "mine.conf.j2") in caught.value.message
    assert "'flavour' is undefined" in caught.value.cause


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('title = "Mine"', "", "title is missing"),
        ('title = "Mine"', "title = 3", "title is no str: 3"),
        ('title = "Mine"', 'title = "Mine"\ntitel = "Mine"', "titel is unknown"),
        ('name = "mine"', 'name = "yours"', "its folder is called 'mine'"),
        ('role = "server"', 'role = "gateway"', "it may be server"),
        ('default = "2.0"', 'default = "3.0"', "default is '3.0'; it may be 2.0, 1.0"),
        ('["docker", "local"]', '["podman"]', "may only have docker and local"),
        ('["docker", "local"]', "[]", "may only have docker and local"),
        ('["docker", "local"]', "[1]", "engines has something else than strings in it"),
        ("c2s = 5222", "c2c = 5222", "ports.c2c is unknown"),
        ("c2s = 5222", "c2s = true", "ports.c2s is no int: True"),
        ('port = "c2s"', 'port = "s2s"', "ready.port is 's2s'; it may be c2s, https"),
        ("within = 7", "without = 7", "ready.without is unknown"),
        ('muc = "rooms', 'muk = "rooms', "services.muk is unknown"),
        ("secret =", "sekrit =", "component.secret is missing"),
        ('command = ["add", "{user}", "{domain}", "{password}"]', "", "accounts.command is missing"),
        ('memory = "64m"', 'memorie = "64m"', "container.memorie is unknown"),
        ('command = ["{venv}/bin/mine"]', "", "local.command is missing"),
        ("[local]", "[elsewhere]", "engines names local, but nothing says how"),
        ("mine.conf.j2", "other.conf.j2", "files.other.conf.j2 names a template that is not there"),
        ('XEP-0198 = "smacks"', 'XEP-198 = "smacks"', "provides.XEP-198 is no provider"),
        ("[ready]", "[reddy]", "ready is missing"),
        ("[ports]\n", "", "ports is missing"),
    ],
)
def test_what_is_wrong_is_refused_by_name(folder: Path, old: str, new: str, says: str) -> None:
    change(folder, old, new)
    assert says in refusal(folder).message


def test_a_misspelt_key_gets_the_nearest_one(folder: Path) -> None:
    change(folder, 'title = "Mine"', 'title = "Mine"\nhomepag = "x"')
    assert refusal(folder).hint == "did you mean homepage?"


def test_broken_toml_is_refused_with_its_line(folder: Path) -> None:
    change(folder, 'title = "Mine"', "title = Mine")
    assert refusal(folder).message == f"{folder / 'subject.toml'}:2 is not TOML"


@pytest.mark.parametrize(
    ("spec", "message", "help_"),
    [
        ("pyjaber", "no server is called 'pyjaber'", "did you mean pyjabber"),
        ("pyjabber:0.4", "pyjabber has no version '0.4' here", "did you mean pyjabber:0.4.5?"),
        ("pyjabber:", "pyjabber has no version '' here", ""),
        ("./nowhere", "no subject in nowhere", "the format of subject.toml"),
        ("", "no server is called ''", "./path"),
    ],
)
def test_an_unknown_name_or_version_gets_the_nearest_ones(spec: str, message: str, help_: str) -> None:
    with pytest.raises(UsageError) as caught:
        find(spec)
    assert caught.value.message == message
    assert help_ in caught.value.hint


def test_the_projects_subjects_are_found_by_name() -> None:
    subjects = all_subjects()
    assert "pyjabber" in {subject.name for subject in subjects}
    for subject in subjects:
        assert find(subject.name) == subject
        for version in subject.versions:
            assert find(f"{subject.name}:{version}").version == version
            assert known(find(f"{subject.name}:{version}")) is not None


def test_only_names_in_braces_are_filled_in() -> None:
    filled = fill("<a x='{domain}'> {port:c2s} { } {} {Domain}", domain="lab.test", **{"port:c2s": 5222})
    assert filled == "<a x='lab.test'> 5222 { } {} {Domain}"
    with pytest.raises(UsageError, match=re.escape("nothing to put in place of {port:s2s}")):
        fill("{port:s2s}", domain="lab.test")


# --- known.toml

KNOWN = """
[[known]]
check = "rfc-6120/a"
outcome = "fail"
reason = "the parser is not restarted"
link = "https://mine.example/1"

[[known]]
check = "rfc-6120/b"
outcome = "crash"
reason = "a null byte"
versions = ["1.0"]
flaky = true
"""


def test_known_failures_are_those_of_the_version(folder: Path) -> None:
    (folder / "known.toml").write_text(KNOWN)
    first = Known("rfc-6120/a", "fail", "the parser is not restarted", link="https://mine.example/1")
    assert known(find(str(folder))) == (first,)
    assert known(find(f"{folder}:1.0")) == (
        first,
        Known("rfc-6120/b", "crash", "a null byte", versions=("1.0",), flaky=True),
    )


def test_without_a_list_nothing_is_known(folder: Path) -> None:
    assert known(find(str(folder))) == ()


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('reason = "a null byte"', "", "known 2.reason is missing"),
        ('reason = "a null byte"', 'reason = " "', "known 2.reason is empty"),
        ('outcome = "crash"', 'outcome = "error"', "known 2.outcome is 'error'"),
        ('versions = ["1.0"]', 'versions = ["0.9"]', "known 2.versions names 0.9"),
        ("flaky = true", 'flaky = "often"', "known 2.flaky is no bool"),
        ("flaky = true", "flakey = true", "known 2.flakey is unknown"),
        ("rfc-6120/b", "rfc-6120/a", "rfc-6120/a is listed twice"),
        ("[[known]]", "[[unknown]]", "known.toml: unknown is unknown"),
    ],
)
def test_a_wrong_entry_is_refused_by_name(folder: Path, old: str, new: str, says: str) -> None:
    (folder / "known.toml").write_text(KNOWN.replace(old, new))
    with pytest.raises(UsageError) as caught:
        known(find(f"{folder}:1.0"))
    assert str(folder / "known.toml") in caught.value.message
    assert says in caught.value.message


# --- known.toml: findings

FINDINGS = """
[[finding]]
fingerprint = "answers-once by valid {urn:a}b in iq get to *"
reason = "answers twice"
link = "https://mine.example/2"

[[finding]]
fingerprint = "lives"
reason = "a null byte"
versions = ["1.0"]
flaky = true
"""
ANSWERS_TWICE = KnownFinding(
    "answers-once by valid {urn:a}b in iq get to *", "answers twice", link="https://mine.example/2"
)


def test_known_findings_are_those_of_the_version_and_stand_beside_failures(folder: Path) -> None:
    (folder / "known.toml").write_text(KNOWN + FINDINGS)
    assert known_findings(find(str(folder))) == (ANSWERS_TWICE,)
    assert known_findings(find(f"{folder}:1.0")) == (
        ANSWERS_TWICE,
        KnownFinding("lives", "a null byte", versions=("1.0",), flaky=True),
    )
    assert len(known(find(f"{folder}:1.0"))) == 2


def test_without_a_list_no_finding_is_known(folder: Path) -> None:
    assert known_findings(find(str(folder))) == ()
    (folder / "known.toml").write_text(KNOWN)
    assert known_findings(find(str(folder))) == ()


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('fingerprint = "lives"', "", "finding 2.fingerprint is missing"),
        ('fingerprint = "lives"', 'fingerprint = "*"', "finding 2.fingerprint fits everything"),
        ('fingerprint = "lives"', 'fingerprint = ""', "finding 2.fingerprint fits everything"),
        ('fingerprint = "lives"', f'fingerprint = "{ANSWERS_TWICE.fingerprint}"', "is listed twice"),
        ('reason = "a null byte"', "", "finding 2.reason is missing"),
        ('reason = "a null byte"', 'reason = " "', "finding 2.reason is empty"),
        ('versions = ["1.0"]', 'versions = ["0.9"]', "finding 2.versions names 0.9"),
        ("flaky = true", 'flaky = "often"', "finding 2.flaky is no bool"),
        ("flaky = true", 'outcome = "fail"', "finding 2.outcome is unknown"),
    ],
)
def test_a_wrong_finding_is_refused_by_name(folder: Path, old: str, new: str, says: str) -> None:
    (folder / "known.toml").write_text(FINDINGS.replace(old, new))
    with pytest.raises(UsageError) as caught:
        known_findings(find(f"{folder}:1.0"))
    assert str(folder / "known.toml") in caught.value.message
    assert says in caught.value.message
    with pytest.raises(UsageError):
        known(find(f"{folder}:1.0"))


@pytest.mark.parametrize(
    ("fingerprint", "flaky", "expected"),
    [
        ("answers-once by valid {urn:a}b in iq get to server", False, (Expectation.KNOWN, "answers twice")),
        ("answers-once by valid {urn:a}b in iq set to server", False, (Expectation.UNEXPECTED, "")),
        ("answers-once by valid {urn:a}b in iq set to server", True, (Expectation.FLAKY, "")),
        ("answers-once by valid {urn:a}b in iq get to server", True, (Expectation.FLAKY, "answers twice")),
        ("lives", False, (Expectation.FLAKY, "sometimes")),
        ("logs-no-crash=Traceback[c2s]: a.lua:7: *what?", False, (Expectation.KNOWN, "as it stands")),
        ("logs-no-crash=Traceback[c2s]: b.lua:9: *what?", False, (Expectation.KNOWN, "as it stands")),
        ("logs-no-crash=Tracebackc: a.lua:7: *what?", False, (Expectation.UNEXPECTED, "")),
        ("Lives", False, (Expectation.UNEXPECTED, "")),
    ],
)
def test_what_the_list_makes_of_a_finding(
    fingerprint: str, expected: tuple[Expectation, str], *, flaky: bool
) -> None:
    listed = (
        ANSWERS_TWICE,
        KnownFinding("lives", "sometimes", flaky=True),
        KnownFinding("logs-no-crash=Traceback[c2s]: ?.lua:*: *what?", "as it stands"),
    )
    assert expectation_of_finding(fingerprint, listed, flaky=flaky) == expected


def test_listed_findings_that_did_not_show_are_named() -> None:
    listed = (ANSWERS_TWICE, KnownFinding("lives", "sometimes"))
    assert not_seen(listed, ["answers-once by valid {urn:a}b in iq get to server"]) == ("lives",)
    assert not_seen(listed, []) == (ANSWERS_TWICE.fingerprint, "lives")


# --- an image, and a list, of one's own


def test_an_image_takes_the_place_of_the_folders_own() -> None:
    found = find("prosody:0.12", image="my/prosody:dev")
    assert (found.image, found.version, found.engines) == ("my/prosody:dev", "0.12", ("docker",))
    assert find("prosody").image == ""
    with pytest.raises(UsageError, match="runs in no container"):
        find("pyjabber", image="my/pyjabber")


OVER = """
[[known]]
check = "rfc-6120/new"
outcome = "fail"
reason = "mine"

[[known]]
check = "CHECK"
outcome = "pass"
reason = "mended in my branch"

[[finding]]
fingerprint = "lives by *"
reason = "mine"
"""


def test_a_list_is_laid_over_the_subjects_own(tmp_path: Path) -> None:
    prosody = find("prosody")
    own = known(prosody)
    file = tmp_path / "known.toml"
    file.write_text(OVER.replace("CHECK", own[0].check), encoding="utf-8")
    found = listed(prosody, prosody.version, [file])
    names = {entry.check: entry.reason for entry in found.failures}
    assert own[0].check not in names
    assert names["rfc-6120/new"] == "mine"
    assert len(names) == len(own)
    assert found.findings[0].fingerprint == "lives by *"
    assert len(found.findings) == len(known_findings(prosody)) + 1
    assert listed(prosody, prosody.version).failures == own
    second = tmp_path / "second.toml"
    second.write_text(OVER.replace('"mine"', '"again"').replace("CHECK", "rfc-6120/new-2"), encoding="utf-8")
    assert listed(None, "7", [file, second]).failures[0].reason == "again"


def test_only_a_list_that_is_laid_over_another_takes_entries_back(folder: Path) -> None:
    entry = '[[known]]\ncheck = "rfc-6120/a"\noutcome = "pass"\nreason = "r"\n'
    (folder / "known.toml").write_text(entry, encoding="utf-8")
    with pytest.raises(UsageError, match="outcome is 'pass'"):
        known(find(str(folder)))
    assert listed(None, "", [folder / "known.toml"]).failures == ()


@pytest.mark.parametrize(("text", "said"), [(None, "cannot read"), ("x = 1", "is unknown"), ("[[", "is not TOML")])
def test_a_list_that_cannot_be_read_is_said(tmp_path: Path, text: str | None, said: str) -> None:
    file = tmp_path / "known.toml"
    if text is not None:
        file.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=said):
        listed(None, "", [file])


def test_what_is_known_over_tcp_is_known_over_other_transports_that_fail_alike() -> None:
    entry = Known("xep-0030/a", "fail", "because")
    other = Known("rfc-7395/xep-0030/b", "fail", "because of WebSocket")
    listed = {e.check: e for e in (entry, other)}
    assert entry_for("rfc-7395/xep-0030/a", Outcome.FAIL, listed) is entry
    assert entry_for("rfc-7395/xep-0030/b", Outcome.FAIL, listed) is other
    assert entry_for("rfc-7395/xep-0030/a", Outcome.CRASH, listed) is None
    assert entry_for("rfc-7395/xep-0030/a", Outcome.PASS, listed) is None, "it needs no mending: nobody listed it"
    assert entry_for("xep-0030/a", Outcome.PASS, listed) is entry


def test_paths_lie_on_the_http_ports() -> None:
    prosody = find("prosody")
    found = prosody.within_http({"https": Endpoint("127.0.0.1", 1), "http": Endpoint("127.0.0.1", 2)})
    assert found == {
        "websocket": Endpoint("127.0.0.1", 1, "/xmpp-websocket"),
        "websocket-plain": Endpoint("127.0.0.1", 2, "/xmpp-websocket"),
        "bosh": Endpoint("127.0.0.1", 1, "/http-bind"),
        "bosh-plain": Endpoint("127.0.0.1", 2, "/http-bind"),
    }
    assert prosody.within_http({}) == {}
    assert find("pyjabber").within_http({"https": Endpoint("127.0.0.1", 1)}) == {}


def test_a_path_begins_with_a_slash(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    broken = SUBJECT.replace("[ports]", '[paths]\nbosh = "http-bind"\n\n[ports]')
    (tmp_path / "mine" / "subject.toml").write_text(broken, encoding="utf-8")
    with pytest.raises(UsageError, match=r"paths\.bosh"):
        read(tmp_path / "mine")
