"""Every page of the site: where it lies, by which template it is laid out, and what it says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lab.report.visible import plain
from lab.site.cells import Collection
from lab.site.facts import matrix, nights, subject
from lab.site.facts.check import checks_of, of_check
from lab.site.facts.refs import Facts, history_address, row_address
from lab.site.facts.row import of_row
from schemas.suites import Role

TOP = {
    "index.html": "Servers",
    "clients.html": "Clients",
    "pairs.html": "Pairs",
    "federation.html": "Federation",
    "checks.html": "Checks",
    "history.html": "History",
    "records.html": "Records",
    "diff.html": "Compare",
}
"""The pages that every page leads to."""


@dataclass(frozen=True)
class Page:
    """One page, and the JSON beside it."""

    address: str
    template: str
    title: str
    facts: Facts

    @property
    def root(self) -> str:
        """The way from the page to the site's top."""
        return "../" * self.address.count("/")

    @property
    def data(self) -> str:
        return f"{self.address.removesuffix('.html')}.json"


def pages(collection: Collection) -> Iterator[Page]:
    """All of them. One is made at a time: two hundred records make a thousand, and some are large."""
    yield from _top(collection)
    for one in collection.subjects:
        facts = subject.of_subject_page(one, collection)
        yield Page(one.address, "subject-page.html.j2", plain(one.label), facts)
    for suite in collection.suites:
        for row in matrix.rows_of(matrix.SUITES[suite]):
            if row.id in collection.rows[suite]:
                title = f"{row.feature}: {suite}"
                yield Page(row_address(suite, row.id), "row-page.html.j2", title, of_row(suite, row, collection))
    for name, (check, cells) in collection.checks.items():
        yield Page(collection.at[name], "check-page.html.j2", plain(name), of_check(check, cells, collection))
    for cell in collection.cells:
        title = f"{plain(cell.label)}: history"
        yield Page(history_address(cell), "cell-history-page.html.j2", title, nights.of_history(cell, collection))


def _top(collection: Collection) -> Iterator[Page]:
    servers = matrix.rows_by(collection.of("server"), Role.SERVER)
    clients = matrix.rows_by(collection.of("client"), Role.CLIENT)
    told = nights.notices(collection)
    records = nights.records_of(collection)
    facts: dict[str, tuple[str, Facts]] = {
        "index.html": ("Rows by servers", {"notices": told, "tables": servers, "role": "server"}),
        "clients.html": (
            "Clients on servers",
            {"tables": clients, "role": "client", "cells": matrix.servers_by_clients(collection)},
        ),
        "pairs.html": ("Pairs of clients", {"cells": matrix.pairs_by_servers(collection)}),
        "federation.html": ("Servers by servers", {"cells": matrix.servers_by_servers(collection)}),
        "checks.html": ("Checks", {"checks": checks_of(collection)}),
        "history.html": ("History", nights.histories(collection)),
        "records.html": ("Run records", records),
        "diff.html": ("Compare two records", records),
    }
    for address, (title, said) in facts.items():
        yield Page(address, f"{address.removesuffix('.html')}-page.html.j2", title, said)
