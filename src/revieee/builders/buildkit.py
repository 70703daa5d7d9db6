"""The builder: BuildKit in the Docker engine, told through the docker command line."""

import asyncio
import hashlib
import json
import os
import re
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from revieee.builders.dockerfile import Dockerfile, read, standard_frontend
from revieee.builders.failure import judged
from revieee.builders.limits import BuildLimits, Place, hold, place_of
from revieee.builders.progress import Progress
from revieee.builders.queue import FairQueue, Waiting
from revieee.builders.secret_files import secret_files
from revieee.builders.slots import Slots
from revieee.clients.buildkit import Client, Order, build_command, find, pull_command
from revieee.clients.docker import DockerAnswered, DockerClient, DockerError
from revieee.clients.process import Ended, TimedOut, run, stream
from revieee.model.image import Image, bears, read_image
from revieee.model.masking import Masker
from revieee.model.registries import unreachable
from revieee.model.tags import built_here
from revieee.ports import BuildRequest, Fault, Finding, Refused, RetryLater, Severity, Write

DEFAULT_HOST = "unix:///var/run/docker.sock"
_ARGUMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_DOCKERFILE_LIMIT = 1_000_000
_VALUE_LIMIT = 100_000
"""Bytes; the kernel takes 128 KiB for one argument of a program (``execve(2)``)."""
_TIDY = 3600.0
"""Seconds between two looks at the build cache."""
_CLEARED = 300.0
"""Seconds that the engine may take to clear it: a full disk holds much of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuilderOptions:
    """What a builder is given."""

    instance: str
    """The instance's id: goes into the images' labels."""
    host: str = DEFAULT_HOST
    """The engine's address."""
    clients: tuple[str, ...] = ()
    """Docker command lines to try; empty is every one on PATH and in the usual places."""
    concurrency: int = 2
    """Builds at once."""
    slots: Path | None = None
    """A folder in which processes share these places; None where there is one process."""
    limits: BuildLimits = field(default_factory=BuildLimits)
    """What all of them together may use."""
    time_limit: float = 1800.0
    """Seconds that one build may take."""
    log_limit: int = 10_000_000
    """Bytes that one build may write."""
    cache_limit: int = 20 * 2**30
    """Bytes that the engine's build cache may have."""
    cache_age: float = 30 * 86_400.0
    """Seconds after which what no build used is dropped from the cache."""
    registries: tuple[str, ...] = ()
    """Registries that images may come from although they are on this machine or in a private network."""
    daemon_cgroup_parent: str = ""
    """The engine's own ``cgroup-parent``, where its operator set one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """One build, ready to be run."""

    request: BuildRequest
    scratch: Path
    """A folder of its own."""
    context: Path
    dockerfile: Dockerfile
    ignored: str | None
    """The content of ``<dockerfile>.dockerignore``, where there is one."""
    args: tuple[tuple[str, str], ...]
    notices: tuple[str, ...]

    @property
    def home(self) -> Path | None:
        """The home of docker's clients: one without a registry login for strangers; None is the operator's."""
        return None if self.request.own else self.scratch / "home"


class BuildKitBuilder:
    """Builds images with the engine's own BuildKit; its cache is shared by all builds of one scope."""

    def __init__(self, options: BuilderOptions, *, elapsed: Callable[[], float] = time.monotonic) -> None:
        self._options = options
        self._elapsed = elapsed
        self._tidied: float | None = None
        self._queue = FairQueue(
            options.concurrency, Slots(options.slots, options.concurrency) if options.slots else None
        )
        self._docker = DockerClient(options.host)
        self._client: Client | None = None
        self._place: Place | None = None

    async def build(self, request: BuildRequest, write: Write) -> Image:
        """Build one image (:class:`revieee.ports.Builder`).

        Raises:
            Refused: the Dockerfile failed, or went over the time or log limit; with the last lines of its output.
                Or the image declares too much.
            RetryLater: the engine is not there, or the registry of a base image is away.
            Fault: no docker client here can build.
        """
        async with self._queue.turn(request.cache_scope, request.environment, request.queued):
            client = await self._ready()
            checkout = request.folder  # what lies beside it under its name is cleared with it, also after a crash
            with tempfile.TemporaryDirectory(dir=checkout.parent, prefix=f"{checkout.name}.build-") as scratch:
                plan = await asyncio.to_thread(_plan, request, Path(scratch))
                if plan.notices:
                    await write("".join(f"{notice}\n" for notice in plan.notices).encode())
                await self._bases(client, plan, write)
                image = await self._run(client, plan, write)
            return await self._inspect(image, request)

    def queue(self) -> tuple[Waiting, ...]:
        """Give the builds that wait, in the order of their turns."""
        return self._queue.waiting()

    async def tidy(self, *, urgent: bool = False) -> None:
        """Drop what is too old from the engine's build cache, and the least used of what is too much.

        Works at most once per :data:`_TIDY`; urgently at once, and drops all (Engine API, BuildPrune).

        Raises:
            RetryLater: the engine is not there.
        """
        now = self._elapsed()
        if self._tidied is not None and now - self._tidied < _TIDY and not urgent:
            return
        unused = json.dumps({"until": [f"{self._options.cache_age:.0f}s"]})
        bounds = [{}] if urgent else [{"filters": unused}, {"keep-storage": str(self._options.cache_limit)}]
        try:
            for bound in bounds:
                await self._docker.call("POST", "build", "prune", query={"all": "true", **bound}, timeout=_CLEARED)
        except DockerError as error:
            raise RetryLater(f"The build cache could not be looked at: {error}") from error
        self._tidied = now

    async def check(self) -> Sequence[Finding]:
        """Look for a client that can build, and at the limit on builds."""
        client = await find(self._options.clients)
        if client is None:
            return [
                Finding(
                    subject="build",
                    severity=Severity.BAD,
                    words="No docker command line on this machine can build with BuildKit.",
                    mend="Install docker 20.10, or the buildx plugin (apt-get install docker-buildx).",
                )
            ]
        return [
            Finding(subject="build", severity=Severity.GOOD, words=f"{client.docker} builds: {client.words}."),
            *await self._check_limits(),
        ]

    async def close(self) -> None:
        """Let go of connections."""
        await self._docker.close()

    async def _check_limits(self) -> Sequence[Finding]:
        if self._options.limits.none:
            return []
        try:
            words = await self._hold()
        except DockerError as error:
            return [
                Finding(subject="build limits", severity=Severity.BAD, words=f"The engine does not answer: {error}.")
            ]
        if words is None:
            return [Finding(subject="build limits", severity=Severity.GOOD, words="All builds share one limit.")]
        mend = "Use an engine of version 23 or later, or one with the cgroupfs driver, and run Revieee as root."
        return [Finding(subject="build limits", severity=Severity.WARNING, words=words, mend=mend)]

    async def _ready(self) -> Client:
        """Have a client and the limit; the engine is asked, so one that is away is noticed before anything is done."""
        self._client = self._client or await find(self._options.clients)
        if self._client is None:
            raise Fault("No docker command line on this machine can build with BuildKit; `revieee doctor` says more.")
        try:
            await self._hold()
        except DockerError as error:
            raise RetryLater(f"The Docker engine does not answer: {error}.") from error
        return self._client

    async def _hold(self) -> str | None:
        """Hold the limit on all builds; gives why it cannot be held, or None."""
        info = await self._docker.call("GET", "info")
        self._place = place_of(info, self._options.daemon_cgroup_parent)
        if self._options.limits.none:
            return None
        if self._place is None:
            return "This engine runs build steps beside containers, so the limit on builds does not hold."
        try:
            await asyncio.to_thread(hold, self._options.limits, self._place.group)
        except OSError as error:
            return f"The limit on builds could not be written: {error}."
        return None

    async def _bases(self, client: Client, plan: _Plan, write: Write) -> None:
        """Refuse images of other environments, and ask the registry for newer base images where that is due."""
        for image in plan.dockerfile.images(dict(plan.args), plan.request.build.target):
            self._allow(image, plan.dockerfile)
            if not plan.request.refresh:
                continue
            await write(f"Asking for a newer {image}\n".encode())
            former = await self._found(image)
            host, limit = self._options.host, self._options.time_limit
            try:
                ended = await run(pull_command(client, image, host=host, timeout=limit, home=plan.home))
            except TimedOut:
                ended = Ended(code=1, output=b"", errors=b"it took too long\n")
            if not ended.good:
                reason = ended.errors.decode(errors="replace").strip()
                await write(f"No newer {image}: {reason}\nThe one at hand is used, if there is one.\n".encode())
            elif former and former != await self._found(image):
                await self._drop(former)

    async def _found(self, image: str) -> str:
        """Give the id of the image that has this name; nothing where the engine gives none."""
        try:
            found = await self._docker.call("GET", "images", image, "json")
        except DockerError:
            return ""
        return str(found["Id"]) if bears(found, image) else ""

    async def _drop(self, former: str) -> None:
        """Remove an image whose name went to a newer one; it stays where it has another, or anything uses it."""
        try:
            if not (await self._docker.call("GET", "images", former, "json")).get("RepoTags"):
                await self._docker.call("DELETE", "images", former)
        except DockerError:
            return  # in use, or gone; the build goes on either way

    def _allow(self, image: str, dockerfile: Dockerfile) -> None:
        if words := unreachable(image, self._options.registries):
            raise Refused(f"{dockerfile.name}: {words}")
        if built_here(self._options.instance, image):
            raise Refused(
                f"{dockerfile.name}: an image that was built for an environment cannot be used in a build: {image}. "
                "Use a stage of the same Dockerfile, or an image from a registry."
            )

    async def _run(self, client: Client, plan: _Plan, write: Write) -> str:
        """Run BuildKit and give the image's id."""
        heard, progress, written = Progress(), Progress(), 0
        masker = Masker(plan.request.masked)

        async def receive(chunk: bytes) -> None:
            nonlocal written
            written += len(chunk)
            seen = len(heard.images)
            heard.feed(chunk)
            progress.feed(masker.feed(chunk))  # it cuts what is long
            for image in heard.images[seen:]:  # as BuildKit names it: arguments put in
                self._allow(image, plan.dockerfile)
            if written > self._options.log_limit:
                words = (
                    f"The build of {plan.dockerfile.name} wrote more than {self._options.log_limit} bytes of output."
                )
                raise Refused(words, log=progress.tail)
            await write(chunk)

        with secret_files(plan.request.secrets) as secrets:
            order = replace(self._order(plan), secrets=secrets)
            command = build_command(client, order, host=self._options.host, timeout=self._options.time_limit)
            try:
                code = await stream(command, receive)
            except TimedOut as error:
                words = f"The build of {plan.dockerfile.name} took longer than {self._options.time_limit:g} s."
                raise Refused(words, log=progress.tail) from error
            progress.feed(masker.end())
            progress.end()
            if code != 0:
                raise await judged(self._options.host, plan.dockerfile, progress)
            return order.image_id_file.read_text(encoding="ascii").strip()

    def _order(self, plan: _Plan) -> Order:
        """Put the Dockerfile beside the context, so that nothing in the context changes."""
        dockerfile = plan.scratch / "Dockerfile"
        dockerfile.write_bytes(plan.dockerfile.text.encode("utf-8", "surrogateescape"))
        if plan.ignored is not None:
            (plan.scratch / "Dockerfile.dockerignore").write_bytes(plan.ignored.encode("utf-8", "surrogateescape"))
        scope = hashlib.sha256(f"{self._options.instance} {plan.request.cache_scope}".encode()).hexdigest()[:32]
        return Order(
            context=plan.context,
            dockerfile=dockerfile,
            image_id_file=plan.scratch / "image",
            tags=plan.request.tags,
            labels=(
                ("revieee.environment", str(plan.request.environment)),
                ("revieee.instance", self._options.instance),
            ),
            args=(*plan.args, ("BUILDKIT_CACHE_MOUNT_NS", scope)),
            scope=f"{scope}.invalid",
            target=plan.request.build.target,
            cgroup_parent=self._place.option if self._place and not self._options.limits.none else None,
            network=None if plan.request.online else "none",
            home=plan.home,
        )

    async def _inspect(self, image: str, request: BuildRequest) -> Image:
        try:
            found = await self._docker.call("GET", "images", image, "json")
        except DockerAnswered as error:
            raise RetryLater(f"The image was built and is gone again: {error.message}.") from error
        except DockerError as error:
            raise RetryLater(f"The Docker engine went away after building: {error}.") from error
        made = read_image(found, request.tags[0] if request.tags else image)
        if made.unfit:
            raise Refused(made.unfit)
        return made


def _plan(request: BuildRequest, scratch: Path) -> _Plan:
    """Read what the build needs from the checkout.

    Raises:
        Refused: something that is named is not there, or outside the checkout.
    """
    build = request.build
    context = _inside(request.folder, build.context, "the build's context")
    if not context.is_dir():
        raise Refused(f"The build's context {build.context!r} is no folder of the repository.")
    ignored = None
    if build.inline is not None:
        text, name = build.inline, "dockerfile_inline"
    else:
        name = build.dockerfile
        text = _text(request.folder, name)
        if os.path.exists(request.folder / f"{name}.dockerignore"):  # noqa: PTH110 -- of too long a name there is none
            ignored = _text(request.folder, f"{name}.dockerignore")
    dockerfile = read(text, name)
    args, notices = _args(build.args)
    return _Plan(
        request=request,
        scratch=scratch,
        context=context,
        dockerfile=dockerfile,
        ignored=ignored,
        args=args,
        notices=(*dockerfile.notices, *notices),
    )


def _inside(folder: Path, path: str, what: str) -> Path:
    """Follow a path of the checkout, links included, and keep it inside."""
    root = folder.resolve()
    try:
        found = (root / path).resolve(strict=True)
    except (OSError, RuntimeError, ValueError) as error:
        raise Refused(f"{path!r} ({what}) is not in the repository.") from error
    if not found.is_relative_to(root):
        raise Refused(f"{path!r} ({what}) leads out of the repository.")
    return found


def _text(folder: Path, path: str) -> str:
    file = _inside(folder, path, "the Dockerfile")
    if not file.is_file():
        raise Refused(f"{path!r} (the Dockerfile) is no file.")
    if file.stat().st_size > _DOCKERFILE_LIMIT:
        raise Refused(f"{path} is larger than {_DOCKERFILE_LIMIT} bytes.")
    return file.read_bytes().decode("utf-8", "surrogateescape")


def _args(given: tuple[tuple[str, str], ...]) -> tuple[tuple[tuple[str, str], ...], tuple[str, ...]]:
    """Keep the author's arguments, without those that are orders to BuildKit itself."""
    kept: list[tuple[str, str]] = []
    notices: list[str] = []
    for name, value in given:
        if not _ARGUMENT.fullmatch(name):
            raise Refused(f"{name!r} cannot be a build argument: use letters, digits and underscores.")
        if not _passable(value):
            raise Refused(f"The value of the build argument {name} cannot be given to a program: too long, or binary.")
        if name == "BUILDKIT_SYNTAX" and not standard_frontend(value):
            raise Refused(f"The build argument BUILDKIT_SYNTAX={value} is not allowed: it would run another frontend.")
        if name.startswith("BUILDKIT_"):
            notices.append(f"The build argument {name} is left out: it is Revieee's to set.")
        else:
            kept.append((name, value))
    return tuple(kept), tuple(notices)


def _passable(value: str) -> bool:
    """Tell whether a program can be given this argument at all."""
    try:
        return b"\0" not in os.fsencode(value) and len(os.fsencode(value)) <= _VALUE_LIMIT
    except UnicodeEncodeError:
        return False
