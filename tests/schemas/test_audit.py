"""The audit: what is judged, what a fault is counted for, what the list excuses, what the schemas have lost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lab.errors import UsageError
from schemas.audit import audit, exceptions, sources
from schemas.audit.audit import Audit, Kind, Report, Result
from schemas.catalogue import Catalogue
from tests.schemas import made_up
from tests.schemas.made_up import cdata, xep

GREETING = "{urn:example:greetings}greeting"
WARM = "<greeting xmlns='urn:example:greetings' tone='warm'/>"
RUDE = "<greeting xmlns='urn:example:greetings' tone='rude'/>"

Examine = Callable[..., Audit]


@pytest.fixture
def catalogue(tmp_path: Path) -> Catalogue:
    return made_up.schemas(tmp_path / "schemas")


@pytest.fixture
def examine(tmp_path: Path, catalogue: Catalogue) -> Examine:
    """Audit a XEP-9999 with these examples, with this list of exceptions."""

    def examine(*examples: str, listed: str = "", code: str = "", number: int = 9999) -> Audit:
        xep(tmp_path, *map(cdata, examples), code=cdata(code), number=number)
        path = tmp_path / "exceptions.toml"
        path.write_text(listed, encoding="utf-8")
        return audit.run(sources.find(tmp_path), catalogue, exceptions.read(path))

    return examine


def results(report: Report, kind: Kind) -> list[tuple[str, str]]:
    return [(judged.root.rpartition("}")[2], judged.result.value) for judged in report.judged if judged.kind is kind]


def test_payloads_and_stanzas_that_are_valid(examine: Examine) -> None:
    done = examine(f"<iq id='a'>{WARM}</iq>", WARM)
    (report,) = done.reports
    assert results(report, Kind.OWN) == [("greeting", "valid"), ("greeting", "valid")]
    assert results(report, Kind.STANZA) == [("iq", "valid")]
    assert report.valid_examples() == (2, 2)
    assert done.clean


def test_a_payload_of_another_specification(examine: Examine) -> None:
    (report,) = examine(f"<iq id='a'>{WARM}</iq>", number=9998).reports
    assert (results(report, Kind.OWN), results(report, Kind.OTHER)) == ([], [("greeting", "valid")])


def test_a_fault_deep_inside_is_counted_for_the_payload_that_has_it(examine: Examine, tmp_path: Path) -> None:
    text = f"<iq id='a'>\n<wrapping xmlns='urn:example:wrappings'><x xmlns='urn:unknown'>\n{RUDE}</x></wrapping></iq>"
    done = examine(text)
    (report,) = done.reports
    assert results(report, Kind.OWN) == [("greeting", "mismatched")]
    assert results(report, Kind.OTHER) == [("wrapping", "valid")]
    assert results(report, Kind.STANZA) == [("iq", "mismatched")]
    (finding,) = report.mismatches
    assert (finding.root, finding.mismatch.element, finding.provider) == (GREETING, GREETING, "XEP-9999")
    assert "rude" in finding.mismatch.message
    assert RUDE in (tmp_path / "xep-9999.xml").read_text(encoding="utf-8").splitlines()[finding.line - 1]
    assert not done.clean


def test_a_stanza_has_faults_of_its_own(examine: Examine) -> None:
    (report,) = examine(f"<iq>{WARM}</iq>").reports
    assert (results(report, Kind.STANZA), results(report, Kind.OWN)) == (
        [("iq", "mismatched")],
        [("greeting", "valid")],
    )
    assert [finding.mismatch.element for finding in report.findings] == ["{jabber:client}iq"]


@pytest.mark.parametrize(
    "wrapped", ["{}", "<iq id='a'>{}</iq>", "<wrapping xmlns='urn:example:wrappings'>{}</wrapping>"]
)
def test_an_element_that_its_namespace_does_not_have(examine: Examine, wrapped: str) -> None:
    (report,) = examine(wrapped.format("<greting xmlns='urn:example:greetings'/>")).reports
    (finding,) = report.findings
    assert finding.mismatch.element == "{urn:example:greetings}greting"
    assert "no such element" in finding.mismatch.message


@pytest.mark.parametrize(
    "text", ["<error/>", "<a xmlns='urn:unknown'>5</a>", "xmpp:a@example.com", "<iq id='a'><b></iq>"]
)
def test_nothing_is_judged_that_no_schema_speaks_of(examine: Examine, text: str) -> None:
    done = examine(text)
    (report,) = done.reports
    assert (report.judged, report.valid_examples(), done.clean) == ((), (0, 0), True)


def test_a_mark_of_elision_is_left_out_only_where_that_helps(examine: Examine) -> None:
    warm = "<greeting xmlns='urn:example:greetings' tone='warm'>{}</greeting>"
    (report,) = examine(warm.format("<to>a</to> [ ... ]"), warm.format("<to>...</to>")).reports
    assert [example.how for example in report.examples] == [("elisions left out",), ()]
    assert report.valid_examples() == (2, 2)


LISTED = f"""
[[mismatch]]
xep = "XEP-9999"
examples = [1, 2]
element = "{GREETING}"
why = "placeholder"
reason = "§4 knows no rude tone"
"""


def test_a_listed_mismatch_is_excused_but_not_valid(examine: Examine) -> None:
    done = examine(RUDE, f"<iq id='a'>{RUDE}</iq>", listed=LISTED)
    (report,) = done.reports
    assert (report.mismatches, done.stale, done.clean) == ((), (), True)
    assert report.results(Kind.OWN) == {Result.LISTED: 2}
    assert report.results(Kind.STANZA) == {Result.LISTED: 1}
    assert report.valid_examples() == (0, 2)


def test_the_list_excuses_what_it_names_only(examine: Examine) -> None:
    done = examine(WARM, f"<iq>{RUDE}</iq>", RUDE, listed=LISTED)
    (report,) = done.reports
    assert [(f.example.number, f.mismatch.element) for f in report.mismatches] == [
        (2, "{jabber:client}iq"),
        (3, GREETING),
    ]
    assert done.stale == (f"XEP-9999 example 1 {GREETING}",)


def test_what_was_not_looked_at_is_not_stale(examine: Examine) -> None:
    assert examine(WARM, listed=LISTED.replace("9999", "0001")).clean


@pytest.mark.parametrize(
    ("was", "became", "named"),
    [
        ('why = "placeholder"', 'why = "because"', "why is 'because'; known: elision, placeholder"),
        ("examples = [1, 2]", "examples = []", "examples is missing"),
        ("examples = [1, 2]", 'examples = ["1"]', "examples must be a list of whole numbers"),
        ('reason = "§4', 'resaon = ""\nreason = "§4', "resaon is not a field here"),
        ('reason = "§4 knows no rude tone"', "", "reason is missing"),
        ("examples = [1, 2]", "examples = [1, 1]", f"XEP-9999 1 {GREETING} is listed twice"),
        ("[[mismatch]]", "[[mismatches]]", "mismatches is not a field here"),
        ("[[mismatch]]", "[[mismatch", "line"),
    ],
)
def test_a_broken_list_is_said(tmp_path: Path, was: str, became: str, named: str) -> None:
    path = tmp_path / "exceptions.toml"
    path.write_text(LISTED.replace(was, became, 1), encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        exceptions.read(path)
    assert named in str(caught.value)
    assert "exceptions.toml" in str(caught.value)


THEIRS = """<?xml version='1.0'?>
<xs:schema xmlns:xs='http://www.w3.org/2001/XMLSchema' xmlns='urn:example:greetings'
    targetNamespace='urn:example:greetings'>
  <xs:element name='greeting' type='greetingType'/>
  <xs:complexType name='greetingType'>
    <xs:complexContent><xs:extension base='base'>
      <xs:attribute name='tone'/>
    </xs:extension></xs:complexContent>
  </xs:complexType>
  <xs:complexType name='base'>
    <xs:sequence><xs:element name='farewell'/></xs:sequence>
    <xs:attributeGroup ref='more'/>
    <xs:attribute name='gone' use='prohibited'/>
  </xs:complexType>
  <xs:attributeGroup name='more'><xs:attribute name='volume'/><xs:attributeGroup ref='more'/></xs:attributeGroup>
</xs:schema>
"""

DRIFT = """
[[drift]]
namespace = "urn:example:greetings"
element = "greeting"
attribute = "volume"
reason = "§3 took it back in version 1.1"
"""


def test_drift_of_elements_and_attributes(examine: Examine, tmp_path: Path) -> None:
    done = examine(code=THEIRS)
    (report,) = done.reports
    assert [str(drift) for drift in report.drifts] == [
        "attribute volume of <greeting> of urn:example:greetings",
        "element <farewell> of urn:example:greetings",
    ]
    lines = (tmp_path / "xep-9999.xml").read_text(encoding="utf-8").splitlines()
    assert ["volume" in lines[report.drifts[0].line - 1], "farewell" in lines[report.drifts[1].line - 1]] == [
        True,
        True,
    ]
    assert not done.clean


def test_a_schema_that_follows_another_version_is_said(examine: Examine) -> None:
    done = examine(WARM)  # of version 1.2.0, where ours follow 1.0.0
    assert [file.path.name for file in done.reports[0].behind] == ["greetings.xsd"]
    assert done.clean  # a note: what changed in between shows as drift or mismatch


def test_listed_drift_is_accepted_until_it_is_stale(examine: Examine) -> None:
    (report,) = examine(code=THEIRS, listed=DRIFT).reports
    assert [drift.element for drift in report.drifts] == ["farewell"]
    assert examine(listed=DRIFT).stale == ("drift urn:example:greetings greeting @volume",)
    assert examine(listed=DRIFT.replace("greetings", "nowhere")).stale[0].endswith("no schema has that namespace")


def test_only_the_specification_that_ours_follows_can_drift(examine: Examine) -> None:
    assert examine(code=THEIRS, number=9998).reports[0].drifts == ()


@pytest.mark.parametrize(
    ("code", "cause"),
    [
        ("\n<xs:schema xmlns:xs='urn:x'>\n</xs:all></xs:schema>", "not well-formed"),
        ("\n\n<xs:schema>", "has no </xs:schema>"),
        ("<xs:schema xmlns:xs='urn:x'></xs:schema>" * 21, "more than 20 schemas"),
        ("\n\n<xs:schema></xs:schema>", "not well-formed"),  # a prefix that nothing declares
    ],
)
def test_a_broken_schema_of_theirs_is_said_with_its_line(
    examine: Examine, tmp_path: Path, code: str, cause: str
) -> None:
    (report,) = examine(WARM, code=code).reports
    (broken,) = report.broken_schemas
    assert cause in broken.cause
    line = (tmp_path / "xep-9999.xml").read_text(encoding="utf-8").splitlines()[broken.line - 1]
    assert "xs:" in line
    assert report.valid_examples() == (1, 1)


def test_a_broken_source_does_not_stop_the_others(examine: Examine, tmp_path: Path) -> None:
    (tmp_path / "xep-0001.xml").write_bytes(b"<xep>\xff</xep>")
    done = examine(WARM)
    assert [str(broken).partition(": ")[0] for broken in done.broken] == ["xep-0001.xml:1"]
    assert [report.provider for report in done.reports] == ["XEP-9999"]
    assert not done.clean
