"""Subjects as data: what is read, what is refused and in which words."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lab.cell import Endpoint
from lab.errors import UsageError
from lab.subjects import all_subjects, fill, find
from lab.subjects.known import (
    known,
)
from lab.subjects.subject_file import read
from tests.subject_folder import SUBJECT, subject_folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return subject_folder(tmp_path)


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


def test_an_image_takes_the_place_of_the_folders_own() -> None:
    found = find("prosody:0.12", image="my/prosody:dev")
    assert (found.image, found.version, found.engines) == ("my/prosody:dev", "0.12", ("docker",))
    assert find("prosody").image == ""
    with pytest.raises(UsageError, match="runs in no container"):
        find("pyjabber", image="my/pyjabber")


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
