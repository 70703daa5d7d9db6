"""Settings: environment variables ``REVIEEE_…`` over ``revieee.toml``, parsed once into frozen policy values.

Each field's description is the text of ``docs/settings.md``; a test compares the two.
"""

import ipaddress
import os
import re
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from revieee.model.manifest import Limits
from revieee.model.policy import AdmissionPolicy, DiskPolicy, ForkPolicy, Pace, Policy

Words = Annotated[tuple[str, ...], NoDecode]
"""A list; in an environment variable with commas between."""

DAY = 86_400.0
"""Seconds."""
GIB = 2**30
_HTTP = 80
_HTTPS = 443
_LONGEST_DOMAIN = 180
"""A host is a label of up to 63 characters and a dot before it; a whole name has at most 253 (RFC 1035)."""
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_PRIVATE = [ipaddress.IPv4Network(one) for one in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")]
_INJECTED = re.compile(r"REVIEEE_(?:URL(?:_\w+)?|PR_NUMBER|REPOSITORY|COMMIT|ENVIRONMENT)")
"""What services of an environment get: a Revieee that runs in one does not stumble over it."""


class SettingsError(ValueError):
    """Settings that cannot work; one line each, with what to do."""


class Settings(BaseSettings):
    """All settings, with their defaults."""

    model_config = SettingsConfigDict(
        env_prefix="REVIEEE_", toml_file="revieee.toml", extra="forbid", frozen=True, env_ignore_empty=True
    )

    domain: str = Field("localhost", description="The domain below which every environment has its host.")
    listen: str = Field("127.0.0.1:8080", description="Address and port where nginx listens.")
    public_url: str = Field(
        "", description="Scheme, domain and port that people use, where a load balancer stands in front."
    )
    data: Path = Field(Path("var"), description="Folder for the database, git mirrors and nginx's files.")
    database_url: str = Field(
        "", description="`sqlite:///…`, `mysql://…` or `postgresql://…`; empty: SQLite in the data folder."
    )
    engine: str = Field("docker", description="Where containers run: the name of an engine that is installed.")
    docker_host: str = Field("unix:///var/run/docker.sock", description="Where the Docker engine listens.")
    webhook_secret: SecretStr = Field(
        SecretStr(""), description="The webhook's secret; two with a comma between while one is being changed."
    )
    github_token: SecretStr = Field(SecretStr(""), description="Token mode: a token of the bot's account.")
    github_app_id: str = Field("", description="App mode: the GitHub App's id.")
    github_private_key: SecretStr = Field(
        SecretStr(""), description="App mode: the App's private key (PEM), as text or as a path."
    )
    github_api_url: str = Field("https://api.github.com", description="GitHub's API; for GitHub Enterprise another.")
    github_url: str = Field("https://github.com", description="GitHub itself: clones use `<this>/<owner>/<repo>.git`.")
    repositories: Words = Field(("*",), description="Patterns of `owner/repository` that are served; `!…` excludes.")
    forks: ForkPolicy = Field(
        ForkPolicy.ASK, description="Pull requests from forks: `refuse`, `ask` (each commit is approved) or `allow`."
    )
    submodules: Words = Field(
        (),
        description="Private repositories that any pull request may have as a submodule; "
        "patterns of `owner/repository`.",
    )
    environments: int = Field(500, ge=1, description="The most environments in all.")
    environments_per_repository: int = Field(50, ge=1, description="The most environments of one repository.")
    environment_age: float = Field(
        30.0, ge=0, description="Days without a push or a visit after which an environment is put away; 0: never."
    )
    services: int = Field(20, ge=1, le=28, description="The most services of one environment; at most 28.")
    memory: int = Field(2048, ge=16, description="The most memory of one service, in MiB.")
    cpus: float = Field(2.0, gt=0, description="The most CPU of one service, in cores.")
    pids: int = Field(1024, ge=16, description="The most processes of one service.")
    default_memory: int = Field(512, ge=16, description="Memory of a service that says nothing, in MiB.")
    default_cpus: float = Field(1.0, gt=0, description="CPU of a service that says nothing, in cores.")
    environment_disk: float = Field(
        10.0, ge=0, description="The most that an environment's containers and volumes may write, in GiB; 0: no limit."
    )
    disk_clean: float = Field(
        10.0, ge=0, description="With less room on a disk (GiB), unused build cache and logs of past days are removed."
    )
    disk_free: float = Field(2.0, ge=0, description="With less room on a disk (GiB), no new release is begun.")
    log_size: int = Field(10, ge=1, description="Output kept per container log file (of two), in MiB.")
    repository_size: int = Field(2048, ge=1, description="The most that a repository's mirror may have, in MiB.")
    builds: int = Field(2, ge=1, description="The most builds at once.")
    build_memory: int = Field(4096, ge=64, description="Memory of all builds together, in MiB.")
    build_cpus: float = Field(2.0, gt=0, description="CPU of all builds together, in cores.")
    build_timeout: float = Field(1800.0, gt=0, description="The most seconds that one build may take.")
    build_log: int = Field(10, ge=1, description="The most output of one build, in MiB.")
    build_cache: int = Field(20, ge=1, description="The most that the engine's build cache may have, in GiB.")
    build_cache_age: float = Field(30.0, gt=0, description="Days after which unused build cache is dropped.")
    image_refresh: float = Field(7.0, gt=0, description="Days after which base and pulled images are asked for anew.")
    drain_limit: float = Field(60.0, ge=0, description="Seconds that open requests get to finish on an old release.")
    hold_limit: float = Field(30.0, ge=0, description="Seconds that requests are held while a service is replaced.")
    network_pool: str = Field("10.208.0.0/14", description="Addresses (CIDR) that environments' subnets come from.")
    internet: bool = Field(default=True, description="Whether containers and builds may reach public addresses.")
    stranger_internet: bool = Field(
        default=False, description="Whether those of strangers may as well; private addresses they never reach."
    )
    stranger_share: float = Field(
        0.5, gt=0, le=1, description="What part of each limit on services a stranger's environment has."
    )
    allow_addresses: Words = Field((), description="Private networks that containers may reach all the same.")
    registries: Words = Field(
        (), description="Registries (`host` or `host:port`) on this machine or in private networks that may be asked."
    )
    resolvers: Words = Field((), description="Name servers that containers may ask; empty: those of the host.")
    walls: bool = Field(default=True, description="Whether Revieee keeps up its firewall table.")
    tls_certificate: Path | None = Field(
        None, description="Certificate (PEM, with chain) for the domain and `*.` below it."
    )
    tls_key: Path | None = Field(None, description="The certificate's private key (PEM).")
    trusted_proxies: Words = Field((), description="Networks of load balancers whose `X-Forwarded-*` count.")
    secret_key: SecretStr = Field(
        SecretStr(""), description="The key of repositories' secrets; several with commas between, newest first."
    )
    secret_key_file: Path | None = Field(
        None, description="Where the key is otherwise: a file with mode 0600; empty: `secret.key` in the data folder."
    )
    resync: float = Field(900.0, ge=10, description="Seconds between two listings of open pull requests.")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 -- the base class's signature
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 -- the base class's signature
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Environment variables win over the file."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)

    @field_validator(
        "repositories", "submodules", "allow_addresses", "registries", "resolvers", "trusted_proxies", mode="before"
    )
    @classmethod
    def _list(cls, value: Any) -> Any:  # noqa: ANN401 -- as it came from outside
        return tuple(one.strip() for one in value.split(",") if one.strip()) if isinstance(value, str) else value

    @field_validator("domain")
    @classmethod
    def _host(cls, value: str) -> str:
        if len(value) > _LONGEST_DOMAIN or not all(_LABEL.fullmatch(label) for label in value.lower().split(".")):
            raise ValueError(f"{value!r} is no domain. Write it like review.example.com, without scheme and port.")
        return value.lower()

    @field_validator("listen")
    @classmethod
    def _address(cls, value: str) -> str:
        host, _, port = value.rpartition(":")
        try:
            ipaddress.ip_address(host.strip("[]"))
        except ValueError:
            raise ValueError(f"{value!r} is no address and port. Write it like 0.0.0.0:80 or 127.0.0.1:8080.") from None
        if not port.isdecimal() or not 0 < int(port) < 65536:  # noqa: PLR2004 -- the largest port
            raise ValueError(f"{value!r} has no port from 1 to 65535 at its end.")
        return value

    @field_validator("network_pool")
    @classmethod
    def _pool(cls, value: str) -> str:
        most = Policy().subnet_prefix - 1  # the first subnet is the router's
        try:
            network = ipaddress.IPv4Network(value)
        except ValueError:
            raise ValueError(f"{value!r} is no IPv4 network. Write it like 10.208.0.0/14.") from None
        if network.prefixlen > most or not any(network.subnet_of(one) for one in _PRIVATE):
            raise ValueError(
                f"{value!r} must be inside of 10/8, 172.16/12, 192.168/16 or 100.64/10, and at least a /{most}."
            )
        return str(network)

    @field_validator("allow_addresses", "trusted_proxies")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for one in value:
            try:
                ipaddress.ip_network(one)
            except ValueError:
                raise ValueError(f"{one!r} is neither an address nor a network like 10.1.0.0/16.") from None
        return value

    @field_validator("resolvers")
    @classmethod
    def _addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for one in value:
            try:
                ipaddress.ip_address(one)
            except ValueError:
                raise ValueError(f"{one!r} is no address of a name server. Write it like 192.0.2.53.") from None
        return value

    @field_validator("public_url", "github_api_url", "github_url")
    @classmethod
    def _url(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.username or parts.password:
            raise ValueError("An address must hold no user and no password: they would be shown.")
        if value and (parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment):
            raise ValueError(f"{value!r} is no address. Write it like https://review.example.com.")
        return value.rstrip("/")

    @model_validator(mode="after")
    def _pairs(self) -> "Settings":
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("REVIEEE_TLS_CERTIFICATE and REVIEEE_TLS_KEY go together: set both or none.")
        if bool(self.github_app_id) != bool(self.github_private_key.get_secret_value()):
            raise ValueError("REVIEEE_GITHUB_APP_ID and REVIEEE_GITHUB_PRIVATE_KEY go together: set both or none.")
        if self.github_app_id and self.github_token.get_secret_value():
            raise ValueError("Set REVIEEE_GITHUB_TOKEN or REVIEEE_GITHUB_APP_ID, not both: a bot is one of the two.")
        return self

    @property
    def listen_address(self) -> tuple[str, int]:
        """Where nginx listens."""
        host, _, port = self.listen.rpartition(":")
        return host.strip("[]"), int(port)

    @property
    def base_url(self) -> str:
        """Scheme, domain and port that people use, without a slash at the end."""
        if self.public_url:
            return self.public_url
        scheme, usual = ("https", _HTTPS) if self.tls_certificate else ("http", _HTTP)
        port = self.listen_address[1]
        return f"{scheme}://{self.domain}" if port == usual else f"{scheme}://{self.domain}:{port}"

    @property
    def database(self) -> str:
        """The database's URL."""
        return self.database_url or f"sqlite:///{(self.data / 'revieee.db').absolute()}"

    @property
    def secrets(self) -> tuple[str, ...]:
        """The webhook's secrets."""
        return tuple(one.strip() for one in self.webhook_secret.get_secret_value().split(",") if one.strip())

    @property
    def secret_keys(self) -> tuple[str, ...]:
        """The keys of repositories' secrets that are given, newest first."""
        return tuple(one.strip() for one in self.secret_key.get_secret_value().split(",") if one.strip())

    @property
    def private_key(self) -> str:
        """The App's private key as text.

        Raises:
            SettingsError: it is a path that cannot be read.
        """
        value = self.github_private_key.get_secret_value()
        if not value or "-----BEGIN" in value:
            return value.replace("\\n", "\n")
        try:
            return Path(value).read_text()
        except OSError as error:
            raise SettingsError(
                f"REVIEEE_GITHUB_PRIVATE_KEY is neither a PEM text nor a file that can be read: {error.strerror}."
            ) from error

    def policy(self) -> Policy:
        """Give what the reconciler is told."""
        return Policy(
            admission=AdmissionPolicy(
                forks=self.forks,
                repositories=self.repositories,
                environments=self.environments,
                environments_per_repository=self.environments_per_repository,
            ),
            stranger_share=self.stranger_share,
            stranger_builds_online=self.stranger_internet and not self.allow_addresses,
            limits=Limits(services=self.services, memory=self.memory * 2**20, cpus=self.cpus, pids=self.pids),
            pace=Pace(
                drain_limit=self.drain_limit,
                image_refresh=self.image_refresh * DAY,
                environment_age=self.environment_age * DAY,
                resync=self.resync,
            ),
            disk=DiskPolicy(
                clean_below=int(self.disk_clean * GIB),
                keep_free=int(self.disk_free * GIB),
                environment=int(self.environment_disk * GIB),
            ),
            base_url=self.base_url,
            network_pool=self.network_pool,
        )


def load() -> Settings:
    """Read the settings from the environment and ``revieee.toml``.

    Raises:
        SettingsError: something in them cannot work; every fault is named.
    """
    try:
        settings = Settings()
    except ValidationError as error:
        lines = [_line(fault["loc"], fault["type"], str(fault["msg"])) for fault in error.errors()]
        raise SettingsError("\n".join(lines)) from None
    except ValueError as error:
        raise SettingsError(f"revieee.toml cannot be read: {error}") from None
    known = {f"REVIEEE_{name.upper()}" for name in Settings.model_fields}
    unknown = sorted(
        name
        for name in os.environ
        if name.startswith("REVIEEE_") and name not in known and not _INJECTED.fullmatch(name)
    )
    if unknown:
        raise SettingsError(f"Unknown settings: {', '.join(unknown)}. docs/settings.md lists all there are.")
    return settings


def _line(place: tuple[int | str, ...], kind: str, words: str) -> str:
    """Name a fault. What was written is not repeated: it may be a secret."""
    if kind == "extra_forbidden":
        return f"revieee.toml: there is no setting {place[0]!r}. docs/settings.md lists all there are."
    name = f"REVIEEE_{str(place[0]).upper()}: " if place else ""
    return f"{name}{words.removeprefix('Value error, ')}"
