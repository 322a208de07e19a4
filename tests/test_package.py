"""What `pip install .` carries: every file of the packages that the lab reads when it runs."""

from __future__ import annotations

import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGES = ["schemas", "generators", "lab", "scenarios"]
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]


def data(package: str) -> set[Path]:
    """The files that are no modules of the package: Python in a folder without `__init__.py` is data, too."""
    files = (path for path in (ROOT / package).rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path for path in files if path.suffix != ".py" or not (path.parent / "__init__.py").exists()}


def carried(package: str, patterns: list[str]) -> set[Path]:
    return {path for pattern in patterns for path in (ROOT / package).glob(pattern) if path.is_file()}


def test_every_file_of_the_packages_is_carried() -> None:
    assert SETTINGS["packages"]["find"]["include"] == [f"{package}*" for package in PACKAGES]
    patterns: dict[str, list[str]] = SETTINGS["package-data"]
    missing = [path for package in PACKAGES for path in data(package) - carried(package, patterns.get(package, []))]
    assert [str(path.relative_to(ROOT)) for path in missing] == []


def test_a_file_that_no_pattern_fits_would_be_seen() -> None:
    assert data("schemas") - carried("schemas", ["**/*.toml"]) >= {ROOT / "schemas" / "xsd" / "types.xsd"}
