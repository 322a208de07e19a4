"""The pages for people: their generated tables, commands, links, names and examples are what the lab has."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import typer
from lxml import etree

from lab import cell as cells
from lab import cli
from lab.campaign.judge import RULES
from lab.subjects import find
from lab.subjects.known import known_findings
from schemas import catalogue, payloads
from scripts import tables

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
TEXTS = {str(page.relative_to(ROOT)): page.read_text(encoding="utf-8") for page in PAGES}


def blocks(kind: str, page: str) -> list[str]:
    """The code of that kind on a page."""
    return re.findall(rf"^```{kind}\n(.*?)^```", TEXTS[page], re.MULTILINE | re.DOTALL)


def lines(word: str) -> list[str]:
    """The lines of all shell blocks that begin with that word, without their remarks."""
    found = [line for page in TEXTS for block in blocks("sh", page) for line in block.splitlines()]
    return [shlex.join(shlex.split(line, comments=True)) for line in found if line.split(" ")[0] == word]


def parsed(words: list[str]) -> str:
    """Take a command line as the command would, without running it. Answers the command; fails as it would."""
    command = typer.main.get_command(cli.app)
    names = []
    while words and (below := getattr(command, "commands", {}).get(words[0])) is not None:
        names.append(words[0])
        command, words = below, words[1:]
    command.make_context(" ".join(names), list(words))
    return " ".join(names)


def test_generated_tables_are_up_to_date() -> None:
    done = subprocess.run([sys.executable, ROOT / "scripts" / "tables.py", "--check"], check=False)
    assert done.returncode == 0, "run scripts/tables.py"


@pytest.mark.parametrize("page", tables.TABLES)
def test_a_table_that_drifted_is_written_anew(page: str) -> None:
    whole = TEXTS[page]
    for name in tables.TABLES[page]:
        begin, end = f"<!-- {name}: made by scripts/tables.py -->\n", f"<!-- /{name} -->"
        before, _, rest = whole.partition(begin)
        drifted = f"{before}{begin}something old\n{end}{rest.partition(end)[2]}"
        assert tables.rewritten(page, drifted) == whole
        with pytest.raises(ValueError, match=f"no place for the table '{name}'"):
            tables.rewritten(page, whole.replace(begin, ""))


@pytest.mark.parametrize("line", lines("stanzalab"))
def test_a_command_of_the_pages_is_one(line: str) -> None:
    assert parsed(shlex.split(line)[1:])


def test_a_command_that_is_none_would_be_seen() -> None:
    with pytest.raises(Exception, match="No such option"):
        parsed(["fuzz", "--sever", "prosody"])


@pytest.mark.parametrize("line", lines("make"))
def test_a_make_command_of_the_pages_is_one(line: str) -> None:
    words = shlex.split(line)
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    variables = [word.partition("=")[0] for word in words if "=" in word]
    assert [name for name in variables if f"$({name})" not in makefile] == []
    environment = {"PATH": os.environ["PATH"]}  # nothing of a `make test SERVER=…` that this may run in
    done = subprocess.run(
        ["make", "-n", *words[1:]], capture_output=True, text=True, check=False, cwd=ROOT, env=environment
    )
    assert done.returncode == 0, done.stderr
    printed = done.stdout.replace("\\\n", " ").splitlines()
    commands = [line.partition(">")[0] for line in printed if line.startswith(".venv/bin/stanzalab")]
    target = {"lab": "run", "test": "doctor"}.get(words[1], words[1])
    assert [parsed(shlex.split(command)[1:]) for command in commands] == [target]
    assert [word for word in words if "=" in word and word.partition("=")[2] not in commands[0]] == []


def test_the_readme_lists_every_command() -> None:
    listed = re.findall(r"^\| `stanzalab ([a-z]+)", TEXTS["README.md"], re.MULTILINE)
    commands = list(getattr(typer.main.get_command(cli.app), "commands", {}))
    assert sorted(listed) == sorted(commands)


@pytest.mark.parametrize("page", TEXTS)
def test_links_lead_somewhere(page: str) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)[^)]*\)", TEXTS[page])
    assert [link for link in links if not ((ROOT / page).parent / link).exists()] == []


@pytest.mark.parametrize("page", TEXTS)
def test_files_that_a_page_names_are_there(page: str) -> None:
    """Files and folders of the project, from its root; a star is any, capitals are for a reader to fill in."""
    names = re.findall(r"`((?:schemas|generators|lab|scenarios|scripts|tests|docs)/[\w./*-]+)`", TEXTS[page])
    own = [name for name in names if "NNNN" in name or re.search(r"\b[A-Z]{4,}\b", name)]
    missing = [name for name in names if name not in own and not any(ROOT.glob(name.rstrip("/")))]
    assert missing == []


def test_rules_and_standing_words_of_the_pages_are_the_labs() -> None:
    page = TEXTS["docs/fuzzing.md"]
    known = {*RULES, *re.findall(r"^- `([a-z ]+)`", page, re.MULTILINE)}
    fingerprints = re.findall(r"([a-z]+(?:-[a-z]+)+)(?:=[a-z-]+)? by ", page)
    assert fingerprints
    assert [rule for rule in fingerprints if rule not in known] == []


def test_the_schema_of_the_page_compiles_and_judges(tmp_path: Path) -> None:
    (schema,) = blocks("xml", "docs/schemas.md")
    (tmp_path / "xep-9999-example.xsd").write_text(schema, encoding="utf-8")
    shutil.copy(ROOT / "schemas" / "xsd" / "types.xsd", tmp_path)
    made = catalogue.load(tmp_path)
    said = {
        "<report xmlns='urn:example:0' node='a'><note>b</note><place>c@d</place><e xmlns='f'/></report>": True,
        "<report xmlns='urn:example:0' node='a'><note>b</note></report>": False,
        "<report xmlns='urn:example:0' node='a'><place>c</place><place>d</place></report>": False,
        "<report xmlns='urn:example:0'><place>c@d</place></report>": False,
    }
    assert {xml: made.valid(etree.fromstring(xml)) for xml in said} == said


def test_the_payload_of_the_page_can_be_read(tmp_path: Path) -> None:
    (registry,) = blocks("toml", "docs/schemas.md")
    (tmp_path / "xep-9999.toml").write_text(registry, encoding="utf-8")
    (payload,) = payloads.load_file(tmp_path / "xep-9999.toml")
    assert payload.element == "{urn:example:0}report"
    assert payload.uses[0].children == ("place", "note")


def test_the_known_finding_of_the_page_can_be_read(tmp_path: Path) -> None:
    folder = tmp_path / "prosody"
    shutil.copytree(ROOT / "lab" / "subjects" / "servers" / "prosody", folder)
    (listed,) = blocks("toml", "docs/fuzzing.md")
    (folder / "known.toml").write_text(listed, encoding="utf-8")
    (found,) = known_findings(find(f"{folder}:0.12"))
    assert found.fingerprint == tomllib.loads(listed)["finding"][0]["fingerprint"]


@pytest.mark.parametrize("text", blocks("json", "docs/cell.md"))
def test_the_cell_files_of_the_page_can_be_read(text: str, tmp_path: Path) -> None:
    (tmp_path / "cell.json").write_text(text, encoding="utf-8")
    assert cells.read(tmp_path / "cell.json").domain == json.loads(text)["domain"]
