"""The commands of `stanzalab schemas`: what the schemas are, and how they stand against the specifications' text."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from lab.errors import Exit, UsageError
from schemas import catalogue as schema_catalogue
from schemas import suites, tables
from schemas.audit import audit, exceptions, sources
from schemas.audit.audit import Audit, Kind, Report, Result, Total
from schemas.audit.examples import Form

commands = typer.Typer(
    name="schemas",
    help="The schemas of the specifications: list them, hold them against the specifications' own text.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

out = Console(highlight=False, emoji=False)

_COLUMNS = ("examples", "formed", "salvaged", "no XML", "broken", "own", "others'", "stanzas", "drift")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")]


@commands.command(name="list")
def list_command(as_json: AsJson = False) -> None:
    """List the schemas: namespace, specification and version, file, elements."""
    files = schema_catalogue.catalogue().files.values()
    if as_json:
        _print_json(
            [
                {
                    "namespace": f.namespace,
                    "provider": f.provider,
                    "version": f.version,
                    "file": f.path.name,
                    "elements": sorted(name.rpartition("}")[2] for name in f.elements),
                }
                for f in files
            ]
        )
        return
    width = max(len(f.path.name) for f in files)
    for f in sorted(files, key=lambda f: f.path.name):
        elements = f"{len(f.elements)} elements"
        line = f"{f.provider:<9} {f.version:<7} {elements:>12}  {f.path.name:<{width}}  {f.namespace}"
        out.print(line, markup=False, soft_wrap=True)
    out.print(f"{len(files)} schemas")


@commands.command(name="audit")
def audit_command(
    xeps: Annotated[Path, typer.Option("--xeps", help="A checkout of the XEPs' sources, which holds xep-NNNN.xml.")],
    rfcs: Annotated[Path | None, typer.Option("--rfcs", help="A folder of RFCs' XML sources, rfcNNNN.xml.")] = None,
    provider: Annotated[
        list[str] | None, typer.Option("--provider", help="Only this specification (repeatable): XEP-0030.")
    ] = None,
    as_json: AsJson = False,
    verbose: Annotated[
        bool,
        typer.Option("--verbose", "-v", help="Show listed mismatches too, and what could not be parsed and why."),
    ] = False,
) -> None:
    """Validate every example of the specifications, and compare their own schemas with ours.

    The exit code is 0 where each mismatch and each drift is listed, with its reason, and each listed one is there.
    """
    paths = _chosen(sources.find(xeps, rfcs), provider or ())
    done = audit.run(paths, schema_catalogue.catalogue(), exceptions.read(), _rows())
    if as_json:
        _print_json(_as_json(done))
    else:
        _print(done, verbose)
    raise typer.Exit(Exit.OK if done.clean else Exit.UNEXPECTED)


def _chosen(paths: dict[str, Path], providers: Iterable[str]) -> dict[str, Path]:
    chosen = {}
    for name in providers:
        provider = name.upper().replace("RFC-", "RFC ")
        if provider not in paths:
            raise UsageError(f"no source of {name} there", hint=tables.nearest(provider, paths))
        chosen[provider] = paths[provider]
    return chosen or paths


def _rows() -> frozenset[str]:
    """The specifications behind the rows of any suite."""
    return frozenset(p.id for year in suites.years() for row in suites.load(year).rows for p in row.providers)


def _print(done: Audit, verbose: bool) -> None:
    table = _table("", *_COLUMNS)
    for report in done.reports:
        if report.examples or report.drifts:
            table.add_row(*_line(report))
    out.print(table)
    out.print("own and others' payloads, stanzas: all of them valid, or valid/listed/mismatched")
    for report in done.reports:
        _print_findings(report, verbose)
    for broken in done.broken:
        out.print(Text.assemble(("broken ", "red"), str(broken)), soft_wrap=True)
    for entry in done.stale:
        out.print(Text.assemble(("stale ", "red"), entry, ": listed, but it excuses nothing"), soft_wrap=True)
    meant = sum(e.form is Form.WELL_FORMED and bool(e.how) for r in done.reports for e in r.examples)
    words = "examples judged without marks of elision, or with wrapped lines joined (-v names them)"
    out.print(f"{meant} {words}", soft_wrap=True)
    for total in audit.totals(done):
        out.print(f"{total}{_aim(total)}", markup=False, soft_wrap=True)
    unlisted = sum(len(r.mismatches) for r in done.reports)
    drifted = sum(len(r.drifts) for r in done.reports)
    listed = sum(len(r.findings) for r in done.reports) - unlisted
    out.print(
        f"{unlisted} mismatches, {listed} listed, {drifted} drifts, "
        f"{len(done.stale)} stale entries, {len(done.broken)} broken sources"
    )


def _aim(total: Total) -> str:
    if not total.has_aim:
        return ""
    return f"; the aim is {audit.AIM:.0f}%" + ("" if total.percent >= audit.AIM else ", and it is missed")


def _line(report: Report) -> Iterable[str]:
    forms = report.forms()
    yield report.provider
    yield str(len(report.examples))
    for form in Form:
        yield str(forms[form] or "")
    for kind in Kind:
        results = report.results(kind)
        exact = "/".join(str(results[result]) for result in Result)
        yield str(results.total() or "") if results[Result.VALID] == results.total() else exact
    yield str(len(report.drifts) or "")


def _print_findings(report: Report, verbose: bool) -> None:
    for finding in report.findings if verbose else report.mismatches:
        example = finding.example
        where = f"{report.provider} example {example.number} ({example.title}), line {finding.line}: "
        out.print(Text.assemble((where, "bold"), " ".join(finding.mismatch.message.split())), soft_wrap=True)
        if finding.listed:
            out.print(f"    listed as {finding.listed.why}: {finding.listed.reason}", markup=False, soft_wrap=True)
    for drift in report.drifts:
        where = f"{report.provider} line {drift.line}: "
        out.print(Text.assemble((where, "bold"), f"its schema has the {drift}; ours lacks it"), soft_wrap=True)
    for file in report.behind:
        words = f"the source is version {report.source.version}, {file.path.name} follows {file.version}"
        out.print(Text.assemble((f"{report.provider}: ", "bold"), words), soft_wrap=True)
    for broken in report.broken_schemas:
        out.print(Text.assemble((f"{report.provider}: ", "bold"), str(broken)), soft_wrap=True)
    if verbose:
        for example in report.examples:
            where = f"{report.provider} example {example.number}, line {example.problem_line or example.line}: "
            if example.form is Form.MALFORMED:
                out.print(f"{where}malformed: {example.problem}", markup=False, soft_wrap=True)
            elif example.how:
                out.print(f"{where}{example.form}: {', '.join(example.how)}", markup=False, soft_wrap=True)


def _as_json(done: Audit) -> dict[str, Any]:
    return {
        "specifications": [
            {
                "provider": report.provider,
                "version": report.source.version,
                "row": report.provider in done.rows,
                "examples": len(report.examples),
                **{form.value: report.forms()[form] for form in Form},
                **{kind.value: {r.value: report.results(kind)[r] for r in Result} for kind in Kind},
                "findings": [finding.as_json() for finding in report.findings],
                "drifts": [str(drift) for drift in report.drifts],
                "behind": [file.path.name for file in report.behind],
                "broken_schemas": [str(broken) for broken in report.broken_schemas],
            }
            for report in done.reports
        ],
        "broken": [str(broken) for broken in done.broken],
        "stale": list(done.stale),
        "totals": [
            {
                "title": total.title,
                "valid": total.valid,
                "of": total.of,
                "percent": total.percent,
                "aim": audit.AIM if total.has_aim else None,
            }
            for total in audit.totals(done)
        ],
        "clean": done.clean,
    }


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for column in columns:
        table.add_column(column, no_wrap=True)
    return table


def _print_json(data: Any) -> None:
    sys.stdout.write(json.dumps(data, indent=2, ensure_ascii=False) + "\n")
