"""Files of the commit, as the reader asks for them: found, decoded, within limits, or a fault with its place."""

from collections.abc import Iterable
from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass, field, replace

from revieee.model.manifest import Context, Limits
from revieee.model.reading import variables
from revieee.model.reading.dotenv import BadEnvFile, EnvFile
from revieee.model.reading.findings import Budget, Findings, Mounted, Place, quote
from revieee.model.reading.interpolation import BadTemplate, Interpolation
from revieee.model.reading.values import Values
from revieee.model.reading.yaml_nodes import Entry, Mapping, Node, Scalar, Sequence, YamlFault, mapping, parse, sequence
from revieee.model.tree import Kind, PathError, Tree, inside

YAML_BYTES = 1_000_000
ENV_BYTES = 256_000

_SECRETS = "A secret is not filled in: services have it under its name, unless a line sets that name."


@dataclass(slots=True)
class Scope:
    """The variables of one project folder: its ``.env``, and ours, which win."""

    base: str
    env: AnyMapping[str, str]
    ours: AnyMapping[str, str]
    guess_urls: bool = False
    """While it is not known yet which services get a URL."""
    commands: bool = False
    """What they are filled in to are commands, in which a container's shell may fill in more."""
    guessed: set[str] = field(default_factory=set)
    """The URLs that were asked for and only guessed."""

    def get(self, name: str) -> str | None:
        """Give a variable's value, or None where it is not set."""
        if name in self.ours:
            return self.ours[name]
        if self.guess_urls and name.startswith(variables.URL_PREFIX):
            self.guessed.add(name)
            return "http://guessed.localhost"
        if name in self.env:
            return self.env[name]
        return "." if name == "PWD" else None


@dataclass(frozen=True, slots=True)
class Reading:
    """One reading of one commit: what is read, for whom, within which bounds, and what was found."""

    tree: Tree
    context: Context
    limits: Limits
    findings: Findings = field(default_factory=Findings)
    budget: Budget = field(default_factory=Budget)
    exposed: tuple[str, ...] | None = None
    """The services with a URL, where that is known already."""
    scopes: list[Scope] = field(default_factory=list)
    mounted: Mounted = field(default_factory=Mounted)

    @property
    def values(self) -> Values:
        """Reads typed values; faults go to these findings."""
        return Values(self.findings)

    def fault(self, at: Place, words: str) -> None:
        """Note a fault."""
        self.findings.fault(at, words)

    def notice(self, at: Place, words: str) -> None:
        """Note what was rewritten or left out."""
        self.findings.notice(at, words)

    def nearest(self, word: str, known: Iterable[str]) -> str:
        """Give `` Did you mean `x`?`` for a misspelt name, or an empty text."""
        return self.findings.nearest(word, known)

    def path(self, node: Scalar, what: str) -> str | None:
        """Give a path of the author's, relative to the root; None (and a fault) where it leaves the repository."""
        text = node.text
        if text.startswith("~") or "\\" in text:
            self.fault(node.at, f"{what}: {quote(text)} is outside the repository. Use a path of the repository.")
            return None
        try:
            return inside(node.at.base, text or ".")
        except PathError as error:
            self.fault(node.at, f"{what}: {error}")
            return None

    def kind(self, at: Place, path: str, what: str) -> Kind | None:
        """Tell what is at a path; a link that leaves the repository is a fault."""
        try:
            return self.tree.kind(path)
        except PathError as error:
            self.fault(at, f"{what}: {error}")
            return None

    def in_submodule(self, path: str) -> bool:
        """Tell whether a path is a submodule or in one; the tree does not show what is in there."""
        parts = path.split("/")
        try:
            return any(self.tree.kind("/".join(parts[:end])) is Kind.SUBMODULE for end in range(1, len(parts) + 1))
        except PathError:
            return False

    def text(self, at: Place, path: str, what: str, *, most: int = YAML_BYTES) -> str | None:
        """Read a text file; None (and a fault) where that fails."""
        self.budget.spend("files", 1)
        try:
            content = self.tree.read(path, most)
        except PathError as error:
            self.fault(at, f"{what}: {error}")
            return None
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError:
            self.fault(at, f"{what}: {quote(path)} is not UTF-8 text. Save it as UTF-8.")
            return None
        self.budget.spend("characters", len(text))
        return text

    def scope(self, at: Place, base: str, env_files: tuple[str, ...] | None = None) -> Scope:
        """Give the variables for the files of one project folder.

        Args:
            at: who asks.
            base: the folder.
            env_files: files of variables; None for the folder's ``.env``, if there is one.
        """
        guess = self.exposed is None
        ours = dict(variables.injected(self.context, self.exposed or ()))
        ours.setdefault("COMPOSE_PROJECT_NAME", self.context.environment_label)
        found = Scope(base=base, env={}, ours=ours, guess_urls=guess)
        if env_files is None:
            default = inside(base, ".env")
            at = Place(default)
            env_files = (default,) if self.kind(at, default, "The file of variables") is Kind.FILE else ()
        env: dict[str, str] = {}
        for path in env_files:
            read = self.env_file(at, path, found)
            env |= {name: value for name, value in read.items() if value is not None}
        found.env = env
        self.scopes.append(found)
        return found

    def env_file(self, at: Place, path: str, scope: Scope, *, raw: bool = False) -> dict[str, str | None]:
        """Read a file of variables; what is wrong in it is a fault."""
        text = self.text(at, path, "The file of variables", most=ENV_BYTES)
        if text is None:
            return {}
        try:
            return EnvFile(scope.get, self.budget, raw).parse(text)
        except BadEnvFile as error:
            self.fault(Place(path, error.line), error.words)
            return {}

    def yaml(self, at: Place, path: str, base: str, what: str) -> Node | None:
        """Read a YAML file; None (and a fault) where that fails or it is empty."""
        text = self.text(at, path, what)
        if text is None:
            return None
        try:
            node = parse(text, Place(path, None, base), self.budget)
        except YamlFault as error:
            self.fault(error.at, error.words)
            return None
        if node is None or (isinstance(node, Scalar) and node.null):
            self.fault(Place(path), "The file is empty. Write into it what should run, or remove it.")
            return None
        return node

    def interpolate(self, node: Node, scope: Scope) -> Node:
        """Fill variables in, in all values but not in keys and not below ``x-…``."""
        if isinstance(node, Sequence):
            return sequence(node.at, tuple(self.interpolate(item, scope) for item in node.items), node.action)
        if isinstance(node, Mapping):
            entries = {
                key: entry if key.startswith("x-") else Entry(entry.at, self.interpolate(entry.value, scope))
                for key, entry in node.entries.items()
            }
            return mapping(node.at, entries, node.action)
        return self._interpolate_scalar(node, scope)

    def _interpolate_scalar(self, node: Scalar, scope: Scope) -> Scalar:
        if "$" not in node.text:
            return node

        def unset(name: str) -> None:
            mend = f"et it in `.env`, or write `${{{name}:-default}}`."
            if scope.commands:
                mend = f"Write `$${name}` for the one that the container has, or s{mend}"
            else:
                mend = f"S{mend} {_SECRETS}"
            self.notice(node.at, f"The variable `{name}` is not set, so nothing stands in its place. {mend}")

        try:
            text = Interpolation(scope.get, unset, self.budget)(node.text)
        except BadTemplate as error:
            words = str(error)
            self.fault(node.at, f"{words[0].upper()}{words[1:]}.")
            return node
        return replace(node, text=text, plain=False)
