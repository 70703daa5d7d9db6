"""What nginx runs, as values: its configuration, the Lua modules, the pages, and one digest over all of it."""

import functools
import hashlib
import ipaddress
import os
import pwd
import re
import resource
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from jinja2 import Environment, StrictUndefined, Template

from revieee.ports import Fault
from revieee.routers.nginx.options import RouterOptions

MODULES = ("ndk_http_module.so", "ngx_http_lua_module.so")
_MOST_WORKERS = 8
_MOST_CONNECTIONS = 8192
_DIGEST_LENGTH = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """An installed nginx, as it describes itself (``nginx -V``)."""

    version: str
    """``1.22.1``"""
    modules: Path
    """Where its loadable modules lie."""
    words: str
    """All that it says: another build is another configuration digest."""

    @classmethod
    def read(cls, words: str) -> "Build":
        """Read what ``nginx -V`` says."""
        version = re.search(r"nginx version: \S+?/([0-9.]+)", words)
        modules = re.search(r"--modules-path=([\w./+-]+)", words)
        prefix = re.search(r"--prefix=([\w./+-]+)", words)
        folder = modules[1] if modules else f"{prefix[1] if prefix else '/usr/local/nginx'}/modules"
        return cls(version=version[1] if version else "0", modules=Path(folder), words=words)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """A configuration, ready to be written below the router's folder."""

    digest: str
    configuration: str
    files: Mapping[str, str]
    """Paths relative to the router's folder, all below a folder named by the digest."""
    folder: str


def worker_user(options: RouterOptions) -> str | None:
    """Tell whose rights nginx's workers have: ours, or an unprivileged user's when we are root.

    Raises:
        Fault: we are root and there is no such user.
    """
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    wanted = (options.worker_user,) if options.worker_user else ("www-data", "nginx", "nobody")
    for name in wanted:
        if name in known:
            return name
    raise Fault(f"There is no user {' or '.join(wanted)} for nginx's workers. Make one: adduser --system www-data.")


def render(options: RouterOptions, build: Build) -> Rendered:
    """Make the configuration for these options and this nginx.

    Raises:
        Fault: the certificate cannot be read, or there is no user for the workers.
    """
    lua = {
        f"{path.name}": path.read_text() for path in _package().joinpath("lua").iterdir() if path.name.endswith(".lua")
    }
    template = _package().joinpath("template.conf").read_text()
    values = _values(options, build)
    digest = _digest((template, repr(values), build.words, *_flat(lua), *_flat(options.pages), *_secrets(options)))
    folder = f"configuration-{digest}"
    return Rendered(
        digest=digest,
        configuration=_compiled(template).render(values, digest=digest, folder=folder),
        files={f"{folder}/{name}": text for name, text in lua.items()}
        | {f"{folder}/pages/{name}": text for name, text in options.pages.items()},
        folder=folder,
    )


@functools.cache
def _compiled(template: str) -> Template:
    """Read the template once: the tick compares what it gives with what nginx runs."""
    environment = Environment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False)  # noqa: S701 - not HTML; every value is checked by RouterOptions
    return environment.from_string(template)


def _values(options: RouterOptions, build: Build) -> dict[str, object]:
    processors = len(os.sched_getaffinity(0))
    _, most_files = resource.getrlimit(resource.RLIMIT_NOFILE)
    open_files = min(2 * _MOST_CONNECTIONS + 1024, most_files) if most_files > 0 else 2 * _MOST_CONNECTIONS + 1024
    loadable = [build.modules / name for name in MODULES]
    return {
        # A build with Lua inside (OpenResty) has no module to load.
        "modules": [str(path) for path in loadable] if "lua" not in build.words or loadable[-1].exists() else [],
        "user": worker_user(options),
        "workers": options.workers or min(_MOST_WORKERS, processors),
        "files": open_files,
        "connections": min(_MOST_CONNECTIONS, open_files // 2),
        "hold_seconds": options.hold_seconds,
        "parked_requests": options.parked_requests,
        "tombstone_seconds": options.tombstone_seconds,
        "trusted": options.trusted_proxies,
        "tls": options.tls,
        "listen": _address(*options.listen),
        "inside": options.inside,
        "domain": options.domain,
    }


def _address(host: str, port: int) -> str:
    if host != "*" and ipaddress.ip_address(host).version == 6:  # noqa: PLR2004 - the protocol's name
        return f"[{host}]:{port}"
    return f"{host}:{port}"


def _secrets(options: RouterOptions) -> tuple[str, ...]:
    """A renewed certificate is a new configuration, under the same path."""
    if not options.tls:
        return ()
    try:
        return tuple(
            hashlib.sha256(path.read_bytes()).hexdigest() for path in (options.tls.certificate, options.tls.key)
        )
    except OSError as error:
        raise Fault(
            f"The TLS certificate or key cannot be read: {error}. Check its path and who may read it."
        ) from error


def _flat(texts: Mapping[str, str]) -> list[str]:
    return [part for name in sorted(texts) for part in (name, texts[name])]


def _digest(parts: tuple[str, ...]) -> str:
    whole = hashlib.sha256()
    for part in parts:
        whole.update(f"{len(part)}:".encode())
        whole.update(part.encode())
    return whole.hexdigest()[:_DIGEST_LENGTH]


def _package() -> Traversable:
    return files("revieee.routers.nginx")
