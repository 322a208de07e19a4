"""An image that somebody else made, in place of the one that the lab would build: a build of their own, tried."""

from __future__ import annotations

import docker
from docker.errors import DockerException, ImageNotFound
from requests.exceptions import RequestException

from lab.engines import Progress
from lab.errors import MachineError


def given_image(client: docker.DockerClient, name: str, progress: Progress) -> str:
    """The id of the image of that name: this machine's, or else a registry's.

    Raises MachineError where there is none, or where the name is no image's.
    """
    try:
        return str(client.images.get(name).id)
    except ImageNotFound:
        progress.step(f"pulling {name}")
    except DockerException as error:
        raise MachineError(f"the engine knows no image {name!r}", cause=str(error)) from error
    try:
        client.images.pull(*_parts(name))
        return str(client.images.get(name).id)
    except (DockerException, RequestException) as error:
        raise MachineError(
            f"there is no image {name!r}",
            cause=f"this machine has none, and it cannot be pulled: {error}",
            hint=f"docker build --tag {name} …, or name one that `docker images` lists",
        ) from error


def _parts(name: str) -> tuple[str, str | None]:
    """Repository and tag: one image is pulled, not all that bear its name. A digest stays where it is."""
    repository, colon, tag = name.rpartition(":")
    if "@" in name:
        return name, None
    return (repository, tag) if colon and "/" not in tag else (name, "latest")
