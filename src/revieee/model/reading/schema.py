"""The keys of ``revieee.yml``: one table for the reader and the manifest page."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Key:
    """One key: the form of its value and what it does."""

    form: str
    words: str


ROOT: Mapping[str, Key] = {
    "compose": Key(
        "path or list of paths",
        "The compose files, each over those before it. Without it, the first that is there of "
        "`compose.yaml`, `compose.yml`, `docker-compose.yaml`, `docker-compose.yml`, with its override file.",
    ),
    "build": Key(
        "folder or mapping",
        "Instead of compose files: one service `web`, built from this folder. "
        "As a mapping: `context`, `dockerfile`, `target`, `args`.",
    ),
    "profiles": Key("list of names", "Compose profiles that are on."),
    "expose": Key(
        "name, list or mapping",
        "Which services get a URL, the first being the main one: `web`, `[web, api]` or `{web: 3000, api: 8080}`. "
        "Without it: the services that publish ports, but for databases; the main one is the first that no other one "
        "with a URL waits for.",
    ),
    "env": Key("mapping", "Environment variables for every service, over those of the compose file."),
    "hooks": Key("mapping", "Commands at three moments: `create`, `deploy`, `destroy`."),
    "health": Key("path or mapping", "The HTTP path that tells whether an exposed service is healthy: `/` unless set."),
    "limits": Key("mapping", "What each service may use: `memory`, `cpus`, `pids`. Never more than the policy allows."),
    "services": Key("mapping", "`env`, `health`, `limits` and `mounts` for one service, over those for all."),
    "start_timeout": Key("time", "How long a release may take until it is healthy: 2 minutes unless set, 10 at most."),
    "when": Key("mapping", "Which pull requests get an environment: all, unless set."),
}

BUILD: Mapping[str, Key] = {
    "context": Key("folder", "What the Dockerfile can copy: the root, unless set."),
    "dockerfile": Key("path", "Relative to the context: `Dockerfile`, unless set."),
    "target": Key("name", "The stage to build: the last, unless set."),
    "args": Key("mapping", "Build arguments."),
}

HOOKS: Mapping[str, Key] = {
    "create": Key("command or mapping", "Once, when the environment is new: create and fill a database."),
    "deploy": Key(
        "command or mapping", "At every release, before its routes move: migrate. Runs beside the live release."
    ),
    "destroy": Key("command or mapping", "At the end. A failure does not keep the environment."),
}

HOOK: Mapping[str, Key] = {
    "service": Key("name", "Whose image, variables and volumes it runs with: the main service's, unless set."),
    "command": Key("text or list", "A text is run by `/bin/sh -c`, a list as it is."),
    "timeout": Key("time", "10 minutes unless set, 30 at most; of `destroy` 2, set or not."),
}

HEALTH: Mapping[str, Key] = {
    "path": Key("path", "An answer below 500 means healthy. A service with a healthcheck is asked by that instead."),
    "timeout": Key("time", "How long one answer may take: 5 seconds unless set."),
}

LIMITS: Mapping[str, Key] = {
    "memory": Key("bytes", "Like `512m` or `1.5g`."),
    "cpus": Key("number", "Like `0.5`."),
    "pids": Key("number", "Processes and threads."),
}

SERVICE: Mapping[str, Key] = {
    "env": Key("mapping", "Environment variables for this service."),
    "health": Key("path or mapping", "As above."),
    "limits": Key("mapping", "As above."),
    "mounts": Key("`false`", "Leaves out the compose file's mounts of the repository's files."),
}

WHEN: Mapping[str, Key] = {
    "labels": Key("list of names", "At least one of these labels is on the pull request."),
    "without_labels": Key("list of names", "None of these labels is on it."),
    "base_branches": Key("list of patterns", "It goes into one of these branches."),
    "paths": Key("list of patterns", "It changes at least one of these paths."),
    "ignore_paths": Key("list of patterns", "It changes more than these paths."),
    "drafts": Key("`true` or `false`", "Whether drafts get an environment: they do, unless set."),
}

SECTIONS: Mapping[str, tuple[str, Mapping[str, Key]]] = {
    "": ("All keys", ROOT),
    "build": ("`build`", BUILD),
    "hooks": ("`hooks`", HOOKS),
    "hook": ("A hook", HOOK),
    "health": ("`health`", HEALTH),
    "limits": ("`limits`", LIMITS),
    "services": ("`services.<name>`", SERVICE),
    "when": ("`when`", WHEN),
}
"""All tables with the heading that the manifest page gives them."""
