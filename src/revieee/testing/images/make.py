"""From a recipe to an image on the engine."""

import fcntl
import io
import os
import platform
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from revieee.testing.images.recipe import Recipe

LABEL = "revieee.testing.recipe"
"""The label that says by which recipe an image was made here."""
_ENTRYPOINT_PATH = "/usr/local/bin/docker-entrypoint.sh"
_SOURCES = ("/etc/apt/sources.list.d/debian.sources", "/etc/apt/sources.list.d/ubuntu.sources", "/etc/apt/sources.list")
_LEFT_OUT = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*")


class ImageError(Exception):
    """A base image could not be made; the words say which and why."""


def docker_client() -> str:
    """Gives the docker client to use: the distribution's own, since another one on PATH may lack BuildKit."""
    own = "/usr/bin/docker"
    return own if os.access(own, os.X_OK) else "docker"


def ensure(recipe: Recipe, *, cache: Path | None = None) -> str:
    """Makes the image of ``recipe`` unless the engine has it, and gives its tag.

    ``cache`` is the folder in which archives are kept between runs; by default ``revieee/images`` in the user's cache
    folder. Measured on two cores: busybox 0.2 s, Python 15 s the first time and 3 s from the archive.

    Raises:
        ImageError: there is no engine, no busybox, no mmdebstrap, or a package could not be fetched.
    """
    folder = cache or Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "revieee" / "images"
    folder.mkdir(parents=True, exist_ok=True)
    fingerprint = recipe.fingerprint(_release())
    with _alone(folder / "lock"):
        if not _is_current(recipe.tag, fingerprint):
            changes = [f"--change={change}" for change in (*recipe.changes, f"LABEL {LABEL}={fingerprint}")]
            archive = _packages(recipe, folder, fingerprint) if recipe.packages else _busybox()
            _run([docker_client(), "import", *changes, "-", recipe.tag], stdin=archive)
    return recipe.tag


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Lets one process at a time make images."""
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _release() -> str:
    """Gives the distribution's code name (``bookworm``), which names its packages' archive."""
    return platform.freedesktop_os_release().get("VERSION_CODENAME", "unknown")


def _is_current(tag: str, fingerprint: str) -> bool:
    """Tells whether the engine's image of that name serves: made here by this recipe, or not made here at all."""
    shown = f'{{{{index .Config.Labels "{LABEL}"}}}}'
    found = subprocess.run(
        [docker_client(), "image", "inspect", f"--format={shown}", "--", tag],
        capture_output=True,
        text=True,
        check=False,
    )
    return found.returncode == 0 and found.stdout.strip() in {fingerprint, "", "<no value>"}


def _busybox() -> bytes:
    """Gives an archive of a root file system with this machine's static busybox under all of its names."""
    try:
        program = Path("/bin/busybox").read_bytes()
        names = _run(["/bin/busybox", "--list"]).decode().split()
    except FileNotFoundError:
        raise ImageError("there is no /bin/busybox on this machine: run bin/setup (package busybox-static)") from None
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for folder, mode in (("bin", 0o755), ("etc", 0o755), ("root", 0o700), ("tmp", 0o1777), ("var/www", 0o755)):
            archive.addfile(_entry(folder, mode=mode, kind=tarfile.DIRTYPE))
        _add_file(archive, "bin/busybox", program, 0o755)
        for name in names:
            if name != "busybox":
                archive.addfile(_entry(f"bin/{name}", mode=0o777, kind=tarfile.SYMTYPE, target="busybox"))
        _add_file(archive, "etc/passwd", b"root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/tmp:/bin/false\n", 0o644)
        _add_file(archive, "etc/group", b"root:x:0:\nnogroup:x:65534:\n", 0o644)
    return buffer.getvalue()


def _entry(name: str, *, mode: int, kind: bytes, target: str = "") -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.mode, entry.type, entry.linkname = mode, kind, target
    return entry


def _add_file(archive: tarfile.TarFile, name: str, content: bytes, mode: int) -> None:
    entry = _entry(name, mode=mode, kind=tarfile.REGTYPE)
    entry.size = len(content)
    archive.addfile(entry, io.BytesIO(content))


def _packages(recipe: Recipe, folder: Path, fingerprint: str) -> Path:
    """Gives the archive of a root file system with the recipe's packages, made now if the cache has none."""
    name = recipe.tag.partition(":")[0]
    kept = folder / f"{name}-{fingerprint}.tar"
    if kept.exists():
        return kept
    for outdated in folder.glob(f"{name}-*.tar"):
        outdated.unlink()
    with tempfile.TemporaryDirectory(dir=folder) as work:
        script = Path(work) / "entrypoint"
        script.write_text(recipe.entrypoint)
        script.chmod(0o755)
        made = Path(work) / "root.tar"
        _run(_bootstrap(recipe, script, made))
        made.rename(kept)
    return kept


def _bootstrap(recipe: Recipe, script: Path, target: Path) -> list[str]:
    """Gives the ``mmdebstrap`` command that makes the root file system, from the archives this machine uses."""
    hooks = [f"--customize-hook={hook}" for hook in recipe.hooks]
    if recipe.entrypoint:
        hooks.append(f"--customize-hook=copy-in {script} /usr/local/bin")
        hooks.append(f'--customize-hook=mv "$1/usr/local/bin/entrypoint" "$1{_ENTRYPOINT_PATH}"')
    return [
        "mmdebstrap",
        "--quiet",
        "--variant=essential",
        f"--include={','.join(recipe.packages)}",
        *(f"--dpkgopt=path-exclude={pattern}" for pattern in _LEFT_OUT),
        # A database's package would make an empty database of its own, which no container uses.
        '--essential-hook=mkdir -p "$1/etc/postgresql-common"',
        '--essential-hook=echo "create_main_cluster = false" >"$1/etc/postgresql-common/createcluster.conf"',
        *hooks,
        "--",
        _release(),
        str(target),
        *[source for source in _SOURCES if Path(source).exists()][:1],
    ]


def _run(command: Sequence[str], *, stdin: bytes | Path = b"") -> bytes:
    """Runs one command to its end and gives its output."""
    try:
        if isinstance(stdin, Path):
            with stdin.open("rb") as file:
                done = subprocess.run(command, stdin=file, capture_output=True, check=False)
        else:
            done = subprocess.run(command, input=stdin, capture_output=True, check=False)
    except FileNotFoundError:
        raise ImageError(f"there is no {command[0]} on this machine: run bin/setup --dev") from None
    if done.returncode:
        last = "\n".join(done.stderr.decode(errors="replace").splitlines()[-15:])
        raise ImageError(f"{command[0]} ended with {done.returncode} while a base image was made:\n{last}")
    return done.stdout
