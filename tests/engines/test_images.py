"""Images with a real engine: made once, made again when their content changes, and none left by a failed build."""

from __future__ import annotations

import io
import tarfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from lab.engines.given import given_image
from lab.engines.images import Recipe, base_image, build_context, subject_image
from lab.errors import MachineError, UsageError
from tests.engines.fakes import Remembered

pytestmark = pytest.mark.engine


@pytest.fixture
def client() -> Iterator[docker.DockerClient]:
    client = docker.from_env()
    yield client
    client.close()


@pytest.fixture
def recipe(tmp_path: Path, client: docker.DockerClient) -> Iterator[Recipe]:
    """A subject of its own name, with an image that takes a second to build."""
    recipe = Recipe(f"test-{uuid.uuid4().hex[:8]}", "1", tmp_path, "trixie")
    (tmp_path / "Dockerfile").write_text("ARG BASE\nFROM ${BASE}\nCOPY greeting /\n")
    (tmp_path / "greeting").write_text("good morning")
    (tmp_path / "subject.toml").write_text("")
    yield recipe
    for image in client.images.list(recipe.tag.partition(":")[0]):
        client.images.remove(image.id or "", force=True)


def read(client: docker.DockerClient, image: str, path: str) -> str:
    """A file of an image."""
    container = client.containers.create(image, "true", network_mode="none")
    try:
        chunks, _ = container.get_archive(path)
        with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as tar:
            member = tar.extractfile(tar.getmembers()[0])
            assert member is not None
            return member.read().decode()
    finally:
        container.remove()


def test_an_image_is_made_once(client: docker.DockerClient, recipe: Recipe) -> None:
    first, second = Remembered(), Remembered()
    image = subject_image(client, recipe, first)
    assert subject_image(client, recipe, second) == image
    assert f"building {recipe.tag}" in first.steps
    assert second.steps == []
    assert read(client, image, "/greeting") == "good morning"


def test_an_image_is_made_again_when_its_content_changes(client: docker.DockerClient, recipe: Recipe) -> None:
    old = subject_image(client, recipe, Remembered())
    (recipe.folder / "subject.toml").write_text("# what a build does not see")
    (recipe.folder / "server.cfg.j2").write_text("# put into the container when it starts")
    assert subject_image(client, recipe, Remembered()) == old
    (recipe.folder / "greeting").write_text("good evening")
    new = subject_image(client, recipe, Remembered())
    assert read(client, new, "/greeting") == "good evening"
    with pytest.raises(docker.errors.ImageNotFound):
        client.images.get(old)


def test_a_failed_build_shows_its_output_and_leaves_no_image(client: docker.DockerClient, recipe: Recipe) -> None:
    (recipe.folder / "Dockerfile").write_text("ARG BASE\nFROM ${BASE}\nRUN echo the reason why && exit 7\n")
    with pytest.raises(MachineError, match="could not be built") as caught:
        subject_image(client, recipe, Remembered())
    assert "the reason why" in caught.value.cause
    assert "7" in caught.value.cause.splitlines()[-1]
    assert "Dockerfile" in caught.value.hint
    with pytest.raises(docker.errors.ImageNotFound):
        client.images.get(recipe.tag)


def test_an_extra_ca_is_handed_to_the_build(
    client: docker.DockerClient, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ca = tmp_path.parent / f"{tmp_path.name}-ca.pem"
    ca.write_text("a certificate")
    (recipe.folder / "Dockerfile").write_text("ARG BASE\nFROM ${BASE}\nCOPY lab-extra-ca.crt /ca\n")
    monkeypatch.setenv("LAB_EXTRA_CA", str(ca))
    image = subject_image(client, recipe, Remembered())
    assert read(client, image, "/ca") == "a certificate"
    pem = "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n"
    ca.write_text("".join(map(pem.format, ("one", "two"))))
    (recipe.folder / "Dockerfile").write_text("ARG BASE\nFROM ${BASE}\nCOPY lab-extra-ca*.crt /ca/\n")
    image = subject_image(client, recipe, Remembered())
    assert read(client, image, "/ca/lab-extra-ca.crt") == pem.format("one")
    assert read(client, image, "/ca/lab-extra-ca-2.crt") == pem.format("two")
    monkeypatch.setenv("LAB_EXTRA_CA", str(tmp_path / "none.pem"))
    (recipe.folder / "greeting").write_text("rebuild")
    with pytest.raises(UsageError, match="cannot be read"):
        subject_image(client, recipe, Remembered())


def test_a_mirror_is_handed_to_the_build_and_no_part_of_the_image(
    client: docker.DockerClient, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    (recipe.folder / "Dockerfile").write_text(
        "ARG BASE\nFROM ${BASE} AS made\nARG PIP_INDEX_URL\nRUN echo from ${PIP_INDEX_URL} > /from\n"
        "FROM ${BASE}\nCOPY --from=made /from /from\n"
    )
    monkeypatch.setenv("PIP_INDEX_URL", "https://mirror.test/simple")
    image = subject_image(client, recipe, Remembered())
    assert read(client, image, "/from").strip() == "from https://mirror.test/simple"
    assert "mirror.test" not in str(client.images.get(image).history())
    monkeypatch.setenv("PIP_INDEX_URL", "https://another.test/simple")
    assert subject_image(client, recipe, Remembered()) == image


def test_a_base_is_made_once(client: docker.DockerClient) -> None:
    image = base_image(client, "trixie", Remembered())
    progress = Remembered()
    assert base_image(client, "trixie", progress) == image
    assert progress.steps == []
    assert "VERSION_CODENAME=trixie" in read(client, image, "/usr/lib/os-release")


def test_a_base_with_backports_takes_them_from_the_mirror_of_the_one_without(client: docker.DockerClient) -> None:
    image = base_image(client, "trixie-backports", Remembered())
    assert client.images.get(image).tags == ["stanzalab/base:trixie-backports"]
    progress = Remembered()
    assert base_image(client, "trixie-backports", progress) == image
    assert progress.steps == []
    deb, _, mirror, suite, component = read(client, image, "/etc/apt/sources.list.d/backports.list").split()
    assert (deb, suite, component) == ("deb", "trixie-backports", "main")
    assert mirror.startswith("http")
    assert read(client, image, "/etc/apt/apt.conf.d/backports") == 'APT::Default-Release "trixie-backports";\n'


def test_a_base_that_nobody_has_is_the_machines_fault(client: docker.DockerClient) -> None:
    with pytest.raises(MachineError, match="base"):
        base_image(client, "no-such-suite", Remembered())
    with pytest.raises(docker.errors.ImageNotFound):
        client.images.get("stanzalab/base:no-such-suite")


def test_a_build_sees_neither_templates_nor_toml(recipe: Recipe) -> None:
    (recipe.folder / "deeper").mkdir()
    (recipe.folder / "deeper/run.sh").write_text("#!/bin/sh\n")
    (recipe.folder / "deeper/x.j2").write_text("")
    assert list(build_context(recipe.folder)) == ["Dockerfile", "deeper/run.sh", "greeting"]


# --- an image that somebody else made


def test_an_image_of_this_machine_is_taken_as_it_is(client: docker.DockerClient, recipe: Recipe) -> None:
    image = subject_image(client, recipe, Remembered())
    said = Remembered()
    assert given_image(client, recipe.tag, said) == image
    assert said.steps == []


@pytest.mark.parametrize("name", ["stanzalab.invalid/no/such:image", "stanzalab.invalid/no-such-image", "NO image!"])
def test_an_image_that_is_nowhere_is_said(client: docker.DockerClient, name: str) -> None:
    with pytest.raises(MachineError) as caught:
        given_image(client, name, Remembered())
    assert repr(name) in caught.value.message
    assert caught.value.cause
