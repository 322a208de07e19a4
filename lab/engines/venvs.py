"""Virtual environments with a subject's requirements, kept in the cache: the first run installs, the others find it.

uv installs where the lab's own environment has it, in a tenth of pip's time; pip has its turn where uv fails, and
its settings (PIP_*) hold for both. `LAB_EXTRA_CA` names one more certificate authority to trust.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import ssl
import subprocess
import sys
from collections import deque
from importlib import metadata
from pathlib import Path

from lab.engines import Progress
from lab.engines.cache import cache_folder
from lab.engines.locks import only_one_lab
from lab.errors import MachineError

_COMPLETE = "stanzalab-complete"  # written last: without it a venv is what an interrupted lab left


def ensure(name: str, requirements: tuple[str, ...], progress: Progress) -> Path:
    """The folder of a venv that has `requirements`. Raises MachineError with pip's last lines."""
    key = hashlib.sha256(json.dumps([requirements, sys.version]).encode()).hexdigest()[:12]
    folder = cache_folder("venvs") / f"{name}-{key}"
    if (folder / _COMPLETE).exists():
        return folder
    with only_one_lab(f"venv-{folder.name}", progress):
        if (folder / _COMPLETE).exists():
            return folder
        progress.step(f"installing {' '.join(requirements) or 'a virtual environment'}")
        # Made where it stays, as scripts in a venv name their interpreter by its full path.
        if folder.exists():
            shutil.rmtree(folder)
        _run([sys.executable, "-m", "venv", "--without-pip", str(folder)], progress)
        if requirements:
            _install(str(folder / "bin" / "python"), requirements, progress)
        (folder / _COMPLETE).touch()
    return folder


def _install(python: str, requirements: tuple[str, ...], progress: Progress) -> None:
    uv = Path(sys.executable).with_name("uv")
    if uv.exists():
        try:
            _run([str(uv), "pip", "install", "--quiet", "--python", python, *requirements], progress)
        except MachineError as error:
            progress.detail(f"uv failed, now pip: {error.cause}")
        else:
            return
    options = ["--no-input", "--no-compile", "--disable-pip-version-check", "--progress-bar=off"]
    _run([sys.executable, "-m", "pip", "--python", python, "install", *options, *requirements], progress)


def installed_version(venv: Path, distribution: str) -> str:
    """The exact version of a distribution in a venv; empty where it has none."""
    places = [str(place) for place in venv.glob("lib/python*/site-packages")]
    return next((found.version for found in metadata.distributions(name=distribution, path=places)), "")


def _run(argv: list[str], progress: Progress) -> None:
    last: deque[str] = deque(maxlen=30)
    with subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env=_environment(),
    ) as process:
        try:
            assert process.stdout is not None  # noqa: S101 - it is a pipe
            for line in process.stdout:
                last.append(line.rstrip())
                progress.detail(line.rstrip())
            code = process.wait()
        finally:
            process.kill()
    if code != 0:
        raise MachineError(
            "the subject could not be installed",
            cause=f"{' '.join(argv)}\n" + "\n".join(last),
            hint="pip needs its index: PIP_INDEX_URL, PIP_CERT and LAB_EXTRA_CA say where and whom to trust",
        )


def _environment() -> dict[str, str]:
    """The installers' environment. uv takes the certificates and the index under names of its own."""
    environment = {key: value for key, value in os.environ.items() if key not in {"PYTHONPATH", "PYTHONHOME"}}
    extra = environment.get("LAB_EXTRA_CA")
    if extra and "PIP_CERT" not in environment:
        # PIP_CERT replaces what pip trusts, hence the machine's own authorities with the extra one.
        bundle = cache_folder() / "ca-bundle.pem"
        machine = ssl.get_default_verify_paths().cafile
        parts = [Path(file).read_bytes() for file in (machine, extra) if file]
        bundle.write_bytes(b"\n".join(parts))
        environment["PIP_CERT"] = str(bundle)
    for ours, theirs in (("PIP_CERT", "SSL_CERT_FILE"), ("PIP_INDEX_URL", "UV_DEFAULT_INDEX")):
        if environment.get(ours):
            environment.setdefault(theirs, environment[ours])
    return environment
