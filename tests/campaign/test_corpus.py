"""The corpus: findings are kept and found again; what is damaged is set aside and said, and nothing else is lost."""

from __future__ import annotations

import errno
import json
from dataclasses import replace
from pathlib import Path

import pytest

from lab.campaign import corpus
from lab.campaign.finding import Finding
from lab.campaign.template import Template
from lab.errors import MachineError, UsageError
from tests.campaign.making import SCENE, valid


def finding(fingerprint: str) -> Finding:
    rule = fingerprint.partition(" ")[0]
    return Finding(fingerprint, rule, "", "", "RFC 6120", (Template.of(valid(), SCENE),), 3, "fake", "0", 1)


ONCE, EACH = finding("answers-once by nul"), finding("answers-each-iq by comment")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "corpus" / "fake"
    corpus.keep(ONCE, made)
    corpus.keep(EACH, made)
    return made


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_what_is_kept_is_loaded_one_file_each(folder: Path) -> None:
    assert corpus.load(folder) == ([EACH, ONCE], [])
    assert files(folder) == sorted(f"{f.name}.json" for f in (ONCE, EACH))


def test_a_finding_takes_the_place_of_the_one_with_its_fingerprint(folder: Path) -> None:
    smaller = replace(ONCE, shrunk=True, seen="smaller")
    path = corpus.keep(smaller, folder)
    assert path == folder / f"{ONCE.name}.json"
    assert corpus.load(folder) == ([EACH, smaller], [])
    assert len(files(folder)) == 2


def test_some_are_asked_for_by_name_fingerprint_file_or_beginning(folder: Path) -> None:
    for name in (ONCE.name, ONCE.fingerprint, f"{ONCE.name}.json", f"corpus/fake/{ONCE.name}.json", "answers-once"):
        assert corpus.load(folder, [name]) == ([ONCE], []), name
    assert corpus.load(folder, ["answers"])[0] == [EACH, ONCE]
    assert corpus.load(folder, [ONCE.name, ONCE.fingerprint, EACH.name])[0] == [ONCE, EACH]


def test_unknown_names_are_answered_with_the_nearest(folder: Path) -> None:
    with pytest.raises(UsageError, match="has no finding 'answers-onse'") as caught:
        corpus.load(folder, ["answers-onse"])
    assert ONCE.name in caught.value.hint
    with pytest.raises(UsageError, match="there is no corpus") as none:
        corpus.load(folder / "nothing")
    assert "stanzalab fuzz" in none.value.hint


WHOLE = json.dumps(ONCE.as_json())
DAMAGED = {
    "truncated": (WHOLE[: len(WHOLE) // 2].encode(), "JSONDecodeError"),
    "empty": (b"", "JSONDecodeError"),
    "another-format": (WHOLE.replace('"format": 1', '"format": 2').encode(), "findings of format 1"),
    "not-utf-8": (WHOLE.replace("fake", "f\udcffke").encode("utf-8", "surrogateescape"), "UnicodeDecodeError"),
    "bad-base64": (WHOLE.replace(ONCE.templates[0].chunks[0], "<iq/>").encode(), "Error: "),
    "no-stanza": (json.dumps({**ONCE.as_json(), "templates": []}).encode(), "names no stanza"),
    "no-template": (json.dumps({**ONCE.as_json(), "templates": ["x"]}).encode(), "a template is an object"),
    "no-carrier": (WHOLE.replace('"carrier": "iq"', '"carrier": "pigeon"').encode(), "pigeon"),
    "a-field-less": (json.dumps({k: v for k, v in ONCE.as_json().items() if k != "trace"}).encode(), "KeyError"),
    "a-field-more": (json.dumps({**ONCE.as_json(), "more": 1}).encode(), "TypeError"),
    "no-object": (b"7", "TypeError"),
    "too-deep": (b"[" * 200_000, "RecursionError"),
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_what_is_damaged_is_set_aside_and_said_and_the_rest_is_loaded(folder: Path, damage: str) -> None:
    data, why = DAMAGED[damage]
    (folder / f"{damage}.json").write_bytes(data)
    found, (said,) = corpus.load(folder)
    assert found == [EACH, ONCE]
    assert f"damaged/{damage}.json" in said
    assert why in said
    assert (folder / "damaged" / f"{damage}.json").read_bytes() == data
    assert corpus.load(folder) == ([EACH, ONCE], [])


def test_what_cannot_be_read_is_set_aside_too(folder: Path) -> None:
    (folder / "nowhere.json").symlink_to(folder / "gone")
    (folder / "a-folder.json").mkdir()
    found, said = corpus.load(folder)
    assert found == [EACH, ONCE]
    assert len(said) == 2
    assert "IsADirectoryError" in said[0]
    assert "FileNotFoundError" in said[1]
    assert files(folder / "damaged") == ["a-folder.json", "nowhere.json"]


def test_what_cannot_be_set_aside_is_said_all_the_same(folder: Path) -> None:
    (folder / "half.json").write_text("{")
    (folder / "damaged").write_text("a file is in the way")
    found, (said,) = corpus.load(folder)
    assert found == [EACH, ONCE]
    assert str(folder / "half.json") in said


def test_a_full_disk_is_the_machine_that_is_wrong(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(MachineError, match="cannot keep a finding") as caught:
        corpus.keep(replace(ONCE, seen="new"), folder)
    assert "No space left" in caught.value.cause
    assert "make room" in caught.value.hint
    monkeypatch.undo()
    assert corpus.load(folder) == ([EACH, ONCE], []), "what was there is there still"


def test_a_folder_that_is_a_file_is_the_machine_that_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "corpus").write_text("")
    with pytest.raises(MachineError, match="cannot keep a finding"):
        corpus.keep(ONCE, tmp_path / "corpus")


def test_the_folder_of_a_subject_has_a_name_that_is_no_path() -> None:
    assert corpus.folder_of("prosody") == Path("corpus/prosody")
    assert corpus.folder_of("my server/../x", Path("c")) == Path("c/my-server-..-x")
    for name in ("", ".", ".."):
        assert corpus.folder_of(name, Path("c")) == Path("c/subject")
