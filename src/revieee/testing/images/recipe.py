"""What each base image is made of: values only."""

import hashlib
from dataclasses import dataclass
from importlib.resources import files


@dataclass(frozen=True)
class Recipe:
    """One base image.

    ``tag`` is its name on the engine. ``packages`` are the distribution's packages in it; none means that it is made of
    busybox alone. ``entrypoint`` is the text of the script at ``/usr/local/bin/docker-entrypoint.sh``, if it has one.
    ``hooks`` are shell lines that ``mmdebstrap`` runs on the finished tree, whose path is ``$1``. ``changes`` are the
    instructions of ``docker import --change``.
    """

    tag: str
    changes: tuple[str, ...]
    packages: tuple[str, ...] = ()
    entrypoint: str = ""
    hooks: tuple[str, ...] = ()

    def fingerprint(self, release: str) -> str:
        """Gives 16 hexadecimal digits that change with the recipe or the distribution's ``release``."""
        return hashlib.sha256(f"{release}\n{self!r}".encode()).hexdigest()[:16]


def _script(name: str) -> str:
    return files(__package__).joinpath(name).read_text()


_PATH = "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_ENTRYPOINT = 'ENTRYPOINT ["docker-entrypoint.sh"]'

BUSYBOX = Recipe(tag="busybox:latest", changes=(_PATH, 'CMD ["sh"]'))

PYTHON = Recipe(
    tag="python:3.11-slim",
    packages=("ca-certificates", "python3", "python3-pip"),
    hooks=('ln -s ../../bin/python3 "$1/usr/local/bin/python"',),
    changes=(_PATH, "ENV LANG=C.UTF-8", 'CMD ["python3"]'),
)

POSTGRESQL = Recipe(
    tag="postgres:16",
    packages=("postgresql",),
    entrypoint=_script("postgresql-entrypoint.sh"),
    hooks=(
        'for program in "$1"/usr/lib/postgresql/*/bin/*; do ln -s "${program#"$1"}" "$1/usr/local/bin/"; done',
        'mkdir "$1/docker-entrypoint-initdb.d"',
    ),
    changes=(
        _PATH,
        "ENV LANG=C.UTF-8",
        "ENV PGDATA=/var/lib/postgresql/data",
        "VOLUME /var/lib/postgresql/data",
        "EXPOSE 5432",
        _ENTRYPOINT,
        'CMD ["postgres"]',
    ),
)

MARIADB = Recipe(
    tag="mariadb:11",
    packages=("mariadb-server",),
    entrypoint=_script("mariadb-entrypoint.sh"),
    hooks=(
        'printf "[mariadbd]\\nbind-address=*\\nskip-name-resolve\\n" >"$1/etc/mysql/mariadb.conf.d/99-container.cnf"',
        'rm -rf "$1"/var/lib/mysql/*',
        'mkdir "$1/docker-entrypoint-initdb.d"',
    ),
    changes=(_PATH, "ENV LANG=C.UTF-8", "VOLUME /var/lib/mysql", "EXPOSE 3306", _ENTRYPOINT, 'CMD ["mariadbd"]'),
)
