"""Data forms (XEP-0004) as checks fill them in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape, quoteattr

from lab.wire.namespaces import DATA_FORM


def submit(kind: str, values: Mapping[str, str | Sequence[str]]) -> str:
    """A submitted form of the FORM_TYPE `kind`: each field's value, or its several values."""
    return (
        f"<x xmlns='{DATA_FORM}' type='submit'>"
        f"<field var='FORM_TYPE' type='hidden'><value>{kind}</value></field>"
        f"{''.join(_field(var, value) for var, value in values.items())}</x>"
    )


def _field(var: str, value: str | Sequence[str]) -> str:
    several = (value,) if isinstance(value, str) else value
    return f"<field var={quoteattr(var)}>{''.join(f'<value>{escape(one)}</value>' for one in several)}</field>"
