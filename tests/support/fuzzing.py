"""Fuzzing: hostile variants of good input for everything that reads what strangers write.

    python -m support.fuzzing TARGET COUNT SEED

prints the names of all targets where nothing is given, else one JSON object: what was tried, what was found, the
slowest input in seconds, the most memory in MB. Every input follows from target, seed and number.
"""

import json
import random
import re
import resource
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from revieee.builders import dockerfile
from revieee.builders.progress import Progress
from revieee.cli.show import printable
from revieee.engines.docker.output import Frames
from revieee.intake import payloads
from revieee.model.github import Malformed, Part
from revieee.model.manifest import ManifestError
from revieee.model.masking import Masker
from revieee.model.names import BadName, EnvironmentName, environment_label, repository_name, service_label
from revieee.model.registries import unreachable
from revieee.ports import Refused
from revieee.reporters import markdown
from revieee.sources.submodules import same_forge
from support import asking
from support.manifests import reading

SLOW = 2.0
"""Seconds that one input may take; a page of text takes milliseconds."""
LONGEST = 20_000
"""Bytes of one input."""
LARGE = 200_000
"""Bytes of one that says the same again and again: what takes more than its share is seen there."""
ONE_IN = 50
"""So many inputs, of which one is large."""
SECRET = "a secret of the fuzzer"
ROOT = Path(__file__).parents[2]
PAYLOADS = ROOT.parent / "shared" / "github" / "payloads"

PLAIN = [
    *(
        "$(id)",
        "`id`",
        "${A:-${B}}",
        "$$",
        "../",
        "/etc/passwd",
        "--help",
        "-x",
        "'",
        '"',
        "\\",
        "<script>",
        "@all",
        "#1",
    ),
    *(
        "https://x.example",
        "[a](b)",
        "|",
        "```",
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        "&a",
        "*a",
        "<<",
        "!!python/object",
        "{{",
    ),
    *(
        "!reset",
        "---",
        "? ",
        "- ",
        "services:",
        "image:",
        "build:",
        "privileged: true",
        "volumes:",
        "network_mode: host",
    ),
    *(
        "FROM",
        "RUN",
        "COPY --from=",
        "ADD http://",
        "# syntax=",
        "# escape=`",
        "<<EOF",
        "ONBUILD",
        "ARG",
        "null",
        "true",
    ),
    *(
        "localhost:5000/",
        "127.0.0.1/",
        "-1",
        "1e999",
        "0x7f",
        '"number"',
        '"repository"',
        '"head"',
        "\\u0000",
        "\\ud800",
    ),
]
ODD = [
    "\n",
    "\r\n",
    "\r",
    "\0",
    "\t",
    " ",
    "\x1b[2J",
    "\u202e",
    "\u200b",
    "\ufeff",
    "\u2028",
    "\ud800",
    "9" * 40,
    SECRET,
]
BROKEN = [b"\xff", b"\xc3", b"\x80", b"a" * 300, b"#1 0.1 ", b"<!-- revieee -->", b"# syntax=x\n"]
WORDS: Sequence[bytes] = [*(one.encode("utf-8", "surrogatepass") for one in (*PLAIN, *ODD)), *BROKEN]


@dataclass(frozen=True)
class Target:
    """Something that reads, what good input looks like, and which errors are answers."""

    read: Callable[[bytes], object]
    seeds: Sequence[bytes]
    answers: tuple[type[Exception], ...] = ()


@dataclass
class Found:
    """What came of it."""

    target: str
    tried: int = 0
    refused: int = 0
    faults: list[str] = field(default_factory=list)
    slowest: float = 0.0
    megabytes: float = 0.0
    grown: float = 0.0
    """MB by which the most memory that this process ever had grew meanwhile."""


def text(data: bytes) -> str:
    """Read bytes as what comes out of JSON: any characters, half ones included."""
    return data.decode("utf-8", "surrogateescape")


# ---- what reads


def webhook(data: bytes) -> None:
    """A body, under every event."""
    document = Part.of(payloads.parse(data)).data
    for event in sorted(payloads.EVENTS):
        try:
            payloads.read(event, document)
        except Malformed:
            continue


def manifest(name: str, around: Mapping[str, bytes]) -> Callable[[bytes], object]:
    """A file of a commit, beside good ones."""

    def read(data: bytes) -> object:
        return reading({**around, name: data})

    return read


def build(data: bytes) -> None:
    """A Dockerfile, and the images that it leads to."""
    found = dockerfile.read(text(data), "Dockerfile")
    for image in found.images({"A": "x"}, None):
        unreachable(image)


def output(data: bytes) -> None:
    """A program's output: steps of a build, the engine's frames, secrets, the terminal."""
    progress, frames, masker = Progress(), Frames(), Masker([SECRET])
    shown = b""
    for start in range(0, len(data), 97):
        piece = data[start : start + 97]
        progress.feed(piece)
        list(frames.feed(piece))
        shown += masker.feed(piece)
    progress.end()
    shown += masker.end()
    assert SECRET.encode() not in shown
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", printable(text(data)))


def words(data: bytes) -> None:
    """Anything in a comment: as prose, as code, as a block."""
    said = text(data)
    prose = markdown.prose(said, longest=500)
    bare = re.sub(r"\\.|(`+)(?!`).*?(?<!`)\1(?!`)", "", prose)  # escaped characters, and spans of code
    assert not re.search(r"<[a-zA-Z!/]", bare), prose
    assert "\n" not in prose
    span = markdown.code(said, longest=200)
    assert "\n" not in span
    block = markdown.block(said, lines=50, width=200, longest=5000)
    fence = block.partition("text\n")[0]
    assert block.endswith(f"\n{fence}")
    assert fence not in block[len(fence) : -len(fence)]


def names(data: bytes) -> None:
    """Names of services, repositories, environments; addresses of submodules."""
    said = text(data)
    for made in (service_label(said, "shop-pr-1"), environment_label(said, 7)):
        assert re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", made), made
    for read in (repository_name, EnvironmentName.parse):
        try:
            read(said)
        except BadName:
            continue
    found = same_forge(said, "acme/shop", "https://github.test")
    assert found is None or repository_name(found) == found


COMPOSE = b"""services:
  web:
    build: {context: ., args: {A: "${B:-x}"}}
    ports: ["8080:80"]
    environment: {A: "1", B: "$A"}
    depends_on: {db: {condition: service_healthy}}
    healthcheck: {test: [CMD, "true"], interval: 1s}
  db: {image: "postgres:16", volumes: ["data:/var/lib"], deploy: {resources: {limits: {memory: 64m}}}}
volumes: {data: {}}
x-a: &a {restart: always}
"""
MANIFEST = b"""compose: compose.yaml
services: {web: {env: {B: "2"}}}
env: {A: "1"}
hooks: {create: {service: web, command: [true]}}
health: {path: /up, timeout: 10s}
when: {labels: [preview], base_branches: [main], paths: ["src/**"]}
"""
TASK = b"""{"family": "x", "containerDefinitions": [
  {"name": "web", "image": "nginx", "portMappings": [{"containerPort": 80}]}]}"""
DOCKERFILE = b"""# syntax=docker/dockerfile:1
ARG A=busybox
FROM --platform=linux/amd64 $A AS one
RUN --mount=type=cache,target=/x make \\
  all
FROM one
COPY --from=one /x /y
RUN <<EOF
echo hi
EOF
CMD ["sh"]
"""
GOOD = {"Dockerfile": b"FROM x", "compose.yaml": COMPOSE}
EVENT = json.dumps({"action": "opened", "number": 1, "repository": {"id": 7, "full_name": "acme/shop"}}).encode()
OUTPUT = b"#5 [2/3] RUN make\n#5 0.3 hello\n#5 ERROR: failed\n\x01\0\0\0\0\0\0\x05hello" + SECRET.encode()


def targets() -> Mapping[str, Target]:
    """Give all targets; GitHub's real payloads are good input where they are at hand."""
    real = [one.read_bytes() for one in sorted(PAYLOADS.glob("*.json"))] if PAYLOADS.is_dir() else []
    return {
        "webhook bodies": Target(webhook, [EVENT, *real], (Malformed,)),
        "revieee.yml": Target(manifest("revieee.yml", GOOD), [MANIFEST, COMPOSE], (ManifestError,)),
        "compose.yaml": Target(manifest("compose.yaml", GOOD), [COMPOSE], (ManifestError,)),
        "task_definition.yml": Target(manifest("task_definition.yml", {}), [TASK], (ManifestError,)),
        ".env": Target(manifest(".env", GOOD), [b"A=1\nexport B='x y' # z\nC=\"${A}\"\n"], (ManifestError,)),
        "Dockerfile": Target(build, [DOCKERFILE], (Refused,)),
        "output": Target(output, [OUTPUT]),
        "words of a comment": Target(words, [b"The step `make` of acme/shop#1 failed: <b>no</b> @acme", OUTPUT]),
        "headers of a delivery": Target(asking.delivered, [asking.HEADERS]),
        "the host of a visitor": Target(asking.hosted, [b"shop-pr-1.localhost", b"[::1]:80"]),
        "names and addresses": Target(names, [b"web", b"acme/shop#12", b"git@github.test:acme/lib.git", b"../lib"]),
    }


def mutated(dice: random.Random, seeds: Sequence[bytes]) -> bytes:
    """Make a hostile variant of good input."""
    data = bytearray(dice.choice(seeds))
    for _ in range(dice.choice((1, 1, 2, 3, 5, 20))):
        at = dice.randint(0, len(data))
        match dice.randrange(6):
            case 0:
                data[at:at] = dice.choice(WORDS)
            case 1:
                word = dice.choice(WORDS)
                data[at : at + len(word)] = word
            case 2:
                del data[at : at + dice.randint(1, 30)]
            case 3:
                piece = data[at : at + dice.randint(1, 200)]
                data[at:at] = piece * dice.choice((1, 2, 50))
            case 4:
                other = dice.choice(seeds)
                data[at:] = other[dice.randint(0, len(other)) :]
            case _ if at < len(data):
                data[at] ^= 1 << dice.randrange(8)
    return bytes(data[:LONGEST])


def enlarged(dice: random.Random, seeds: Sequence[bytes]) -> bytes:
    """Make one that says the same again and again, somewhere in good input."""
    data = dice.choice(seeds)
    start = dice.randint(0, len(data))
    said = dice.choice((dice.choice(WORDS), data[start : start + dice.randint(1, 60)], dice.choice(WORDS) + b"a"))
    at = dice.randint(0, len(data))
    return data[:at] + said * ((LARGE - len(data)) // max(1, len(said))) + data[at:]


def fuzz(name: str, count: int, seed: int) -> Found:
    """Try so many inputs."""
    target, found, before = targets()[name], Found(name), _most_memory()
    for number in range(count):
        make = enlarged if number % ONE_IN == ONE_IN - 1 else mutated
        data = make(random.Random(f"{name} {seed} {number}"), target.seeds)  # noqa: S311 -- repeatable, no secret
        where = f"seed {seed}, number {number}"
        begun = time.process_time()
        try:
            target.read(data)
        except target.answers:
            found.refused += 1
        except Exception as error:  # noqa: BLE001 -- whatever it is, it is what is looked for
            found.faults.append(f"{where}: {type(error).__name__}: {str(error)[:300]}: {data[:200]!r}")
        taken = time.process_time() - begun
        if taken > SLOW:
            found.faults.append(f"{where}: {taken:.1f} s: {data[:200]!r}")
        found.tried, found.slowest = found.tried + 1, max(found.slowest, taken)
    found.megabytes = _most_memory()
    found.grown = found.megabytes - before
    return found


def _most_memory() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    said = asdict(fuzz(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))) if sys.argv[1:] else list(targets())
    sys.stdout.write(json.dumps(said))
