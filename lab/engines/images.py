"""Images: a Debian base for each suite, and one image for each version of a subject.

A base is pulled where a registry answers, else made with debootstrap from the machine's own package mirror; with
backports it is built on the one without.
Images are made once and used until what they are made of changes. Nothing here runs a subject.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import docker
from docker.errors import APIError, DockerException, ImageNotFound
from docker.models.images import Image
from requests.exceptions import RequestException

from lab.engines import Progress
from lab.engines.archive import archive
from lab.engines.locks import only_one_lab
from lab.engines.provision import connect, ensure_debootstrap
from lab.errors import MachineError, UsageError

PULL_SECONDS = 15.0
CONTENT_LABEL = "stanzalab.content"
EXTRA_CA = "lab-extra-ca.crt"
LOCAL_CAS = Path("/usr/local/share/ca-certificates")
_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n?", re.DOTALL)
# Not part of a build: read by the lab itself, or put into the container when it starts.
NOT_BUILT = ("*.toml", "*.j2", "__pycache__")
_BACKPORTS = "-backports"


@dataclass(frozen=True)
class Recipe:
    """What a subject's image is made of: a folder with a Dockerfile, on the base of a Debian suite."""

    name: str
    version: str
    folder: Path
    suite: str
    arguments: tuple[tuple[str, str], ...] = ()
    """Build arguments of the image's own."""

    @property
    def tag(self) -> str:
        return f"stanzalab/{self.name}:{self.version}"


def subject_image(client: docker.DockerClient, recipe: Recipe, progress: Progress) -> str:
    """The id of an image made of `recipe`; built only where there is none of just this content.

    Raises MachineError, with the end of the build's output, when it cannot be built.
    """
    with only_one_lab(f"image {recipe.tag}", progress):
        base = base_image(client, recipe.suite, progress)
        context = build_context(recipe.folder)
        arguments = repr(recipe.arguments).encode() if recipe.arguments else b""
        content = hashlib.sha256(base.encode() + _digest(context) + arguments).hexdigest()
        old = _image(client, recipe.tag)
        if old is not None and old.labels.get(CONTENT_LABEL) == content:
            return str(old.id)
        progress.step(f"building {recipe.tag}")
        _build(client, recipe, context, base, content, progress)
        if old is not None:
            # Still in use by a running cell: the engine refuses, and the image goes at the next rebuild.
            with contextlib.suppress(APIError):
                client.images.remove(old.id or "", noprune=False)
        return str(client.images.get(recipe.tag).id)


def base_image(client: docker.DockerClient, suite: str, progress: Progress) -> str:
    """The id of the image `stanzalab/base:<suite>`; pulled or made where there is none.

    `trixie-backports` is trixie with its backports: what those have of a package comes from them.
    Raises MachineError when neither a registry nor a package mirror gives one.
    """
    if suite.endswith(_BACKPORTS):
        recipe = Recipe("base", suite, Path(__file__).parent / "backports", suite.removesuffix(_BACKPORTS))
        return subject_image(client, recipe, progress)
    tag = f"stanzalab/base:{suite}"
    with only_one_lab(f"image {tag}", progress):
        image = _image(client, tag)
        if image is None:
            if not _pull(client, suite, tag, progress):
                _bootstrap(client, suite, tag, progress)
            image = client.images.get(tag)
        return str(image.id)


def build_context(folder: Path) -> dict[str, bytes]:
    """The files that an image is built from, by their path below `folder`."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not any(part.match(pattern) for part in _parts(path, folder) for pattern in NOT_BUILT)
    }


def _parts(path: Path, folder: Path) -> list[Path]:
    return [Path(part) for part in path.relative_to(folder).parts]


def _digest(context: dict[str, bytes]) -> bytes:
    digest = hashlib.sha256()
    for name, content in context.items():
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return digest.digest()


def _image(client: docker.DockerClient, tag: str) -> Image | None:
    try:
        return client.images.get(tag)
    except ImageNotFound:
        return None


# --- a subject's image ------------------------------------------------------------------------------------


def _build(
    client: docker.DockerClient,
    recipe: Recipe,
    context: dict[str, bytes],
    base: str,
    content: str,
    progress: Progress,
) -> None:
    """Build, showing the output only when it fails. The tag is set by the engine when all has succeeded."""
    output: list[str] = []
    events = client.api.build(
        fileobj=io.BytesIO(gzip.compress(archive({**context, **_extra_cas()}), mtime=0)),
        custom_context=True,
        encoding="gzip",
        tag=recipe.tag,
        # The mirror may be on this machine's loopback; the finished container has no way out.
        network_mode="host",
        buildargs={"BASE": base, **dict(recipe.arguments), **_proxies(), **_registries()},
        labels={CONTENT_LABEL: content},
        rm=True,
        forcerm=True,
        decode=True,
    )
    failure = ""
    try:
        for event in events:  # to the end, also after a failure: the connection is whole again then
            failure = failure or str(event.get("error", "")).strip()
            for line in str(event.get("stream", "")).splitlines():
                if line.strip():
                    output.append(line.rstrip())
                    progress.detail(line.strip())
    except (RequestException, DockerException) as error:
        raise MachineError(
            f"the engine went away while it built {recipe.tag}",
            cause=str(error),
            hint="start the engine again; `stanzalab doctor` looks at it",
        ) from error
    if failure:
        raise MachineError(
            f"{recipe.tag} could not be built",
            cause="\n".join([*output[-30:], failure]),
            hint=f"mend {recipe.folder / 'Dockerfile'}, or the mirror that it installs from",
        )


def _extra_cas() -> dict[str, bytes]:
    """The CAs that builds trust besides Debian's: those in the file `LAB_EXTRA_CA` names, or what this machine's own
    administrator added to those that it trusts. `lab-extra-ca.crt`, which is empty where there are none, then
    `lab-extra-ca-2.crt` and so on: Java takes one from a file.

    A Dockerfile that uses pip, npm, Maven or Go copies `lab-extra-ca*.crt` to /usr/local/share/ca-certificates/.
    """
    named = os.environ.get("LAB_EXTRA_CA")
    try:
        files = [Path(named)] if named else sorted(LOCAL_CAS.glob("*.crt"))
        bundle = b"\n".join(file.read_bytes() for file in files)
    except OSError as error:
        raise UsageError(
            f"LAB_EXTRA_CA names {named}, which cannot be read", cause=str(error), hint="name a PEM file"
        ) from error
    first, *others = _CERTIFICATE.findall(bundle) or [bundle]
    return {EXTRA_CA: first} | {f"lab-extra-ca-{number}.crt": one for number, one in enumerate(others, 2)}


def _proxies() -> dict[str, str]:
    """The machine's HTTP proxies. The engine knows these build arguments and keeps them out of the image."""
    return _set("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")


def _registries() -> dict[str, str]:
    """Where this machine gets packages, if not where everybody does: an image is the same, wherever they came from.

    A Dockerfile declares with ARG those that it needs, in a stage that is thrown away: the engine writes into an
    image which arguments its own stage was built with.
    """
    return _set(
        *("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_TRUSTED_HOST", "NPM_CONFIG_REGISTRY", "MAVEN_MIRROR"),
        *("GOPROXY", "GOSUMDB", "GONOSUMDB", "GOPRIVATE"),
    )


def _set(*names: str) -> dict[str, str]:
    """Those of these environment variables that are set, and not empty."""
    return {name: os.environ[name] for name in names if os.environ.get(name)}


# --- the base: pulled -------------------------------------------------------------------------------------


def _pull(client: docker.DockerClient, suite: str, tag: str, progress: Progress) -> bool:
    """Pull Debian's slim image and call it `tag`; False where no registry gives it."""
    if _registry_problem():
        progress.step("no image registry answers; making the base from this machine's package mirror")
        progress.detail(_registry_problem())
        return False
    progress.step(f"pulling debian:{suite}-slim")
    try:
        client.images.pull("debian", f"{suite}-slim").tag(tag)
    except (DockerException, RequestException) as error:
        progress.detail(f"pull failed: {error}")
        return False
    return True


@cache
def _registry_problem() -> str:
    """Why the engine cannot pull; empty when it can. Asked once, however many bases are wanted.

    It asks the registry for a digest, which is quick and moves no image.
    """
    client = connect(timeout=PULL_SECONDS)
    try:
        client.images.get_registry_data("debian:stable-slim")
    except (DockerException, RequestException) as error:
        return str(error)
    finally:
        client.close()
    return ""


# --- the base: made ---------------------------------------------------------------------------------------

# What Debian's own slim images set too: no daemon starts on install, no fsync for each file, no manuals.
SLIM = {
    "usr/sbin/policy-rc.d": "#!/bin/sh\nexit 101\n",
    "etc/dpkg/dpkg.cfg.d/stanzalab": (
        "force-unsafe-io\npath-exclude /usr/share/doc/*\npath-exclude /usr/share/man/*\n"
        "path-exclude /usr/share/locale/*\npath-exclude /usr/share/info/*\n"
    ),
    "etc/apt/apt.conf.d/stanzalab": (
        'APT::Install-Recommends "false";\nAcquire::Languages "none";\nAPT::Keep-Downloaded-Packages "false";\n'
    ),
}
EMPTIED = (
    "var/cache/apt",
    "var/lib/apt/lists",
    "var/log",
    "usr/share/doc",
    "usr/share/man",
    "usr/share/locale",
)


def _bootstrap(client: docker.DockerClient, suite: str, tag: str, progress: Progress) -> None:
    ensure_debootstrap(progress)
    progress.step(f"making {tag} with debootstrap")
    with _scratch(suite) as scratch:
        root = scratch / "root"
        _debootstrap(suite, root, progress)
        _slim(root)
        progress.step(f"importing {tag}")
        archive = scratch / "root.tar"
        subprocess.run(
            ("tar", "--create", "--numeric-owner", "--one-file-system", "--exclude=./dev/*", "--exclude=./proc/*",
             "--file", archive, "--directory", root, "."),
            check=True,
        )  # fmt: skip
        repository, _, name = tag.rpartition(":")
        # One request: the engine sets the tag when it has all, so that no half image can bear it.
        client.api.import_image(
            str(archive),
            repository=repository,
            tag=name,
            changes=[f"LABEL stanzalab.suite={suite}", 'CMD ["bash"]'],
        )


@contextlib.contextmanager
def _scratch(suite: str) -> Iterator[Path]:
    """A folder for one base. Always the same one: what a killed lab left there goes at the next start."""
    folder = Path(tempfile.gettempdir()) / f"stanzalab-base-{suite}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _debootstrap(suite: str, root: Path, progress: Progress) -> None:
    """Run debootstrap in namespaces of its own: its mounts and children end with it, and it with the lab."""
    command = [
        "setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--fork", "--kill-child",
        "debootstrap", "--variant=minbase", "--include=ca-certificates", suite, str(root), *_mirror(),
    ]  # fmt: skip
    tail: list[str] = []
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,  # a Ctrl-C is the lab's to answer, below
    ) as process:
        try:
            assert process.stdout is not None  # noqa: S101  (a pipe was asked for)
            for line in process.stdout:
                tail.append(line.strip())
                progress.detail(line.strip())
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    if process.returncode != 0:
        raise MachineError(
            f"debootstrap could not make a base of {suite}",
            cause="\n".join(tail[-15:]),
            hint="see that this machine's package mirror holds that suite, or pull "
            f"debian:{suite}-slim and tag it stanzalab/base:{suite}",
        )


def _slim(root: Path) -> None:
    for name in EMPTIED:
        folder = root / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    for name, text in SLIM.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755 if text.startswith("#!") else 0o644)


def _mirror() -> list[str]:
    """The Debian mirror that this machine's apt uses; none where apt names no Debian one (Ubuntu, say).

    debootstrap then takes its own default.
    """
    asked = subprocess.run(
        ("apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"),
        check=False,
        capture_output=True,
        text=True,
    )
    found = [line for line in asked.stdout.split() if re.fullmatch(r"https?://.*/debian/?", line)]
    return found[:1]
