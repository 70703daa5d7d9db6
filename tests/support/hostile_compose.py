"""Compose files that would reach out of an environment: what is refused, what is made harmless, what unfolds."""

from collections.abc import Mapping

from revieee.testing.trees import Content, Link, Submodule

_OF_THEIR_KEY = [
    "privileged: true",
    "privileged: ${ON:-true}",
    "cap_add: [NET_ADMIN]",
    "devices: ['/dev/sda:/dev/sda']",
    "device_cgroup_rules: ['c 1:3 mr']",
    "gpus: all",
    "security_opt: [seccomp:unconfined]",
    "security_opt: [no-new-privileges:true, apparmor:unconfined]",
    "pid: host",
    "pid: service:db",
    "ipc: host",
    "ipc: container:x",
    "uts: host",
    "userns_mode: host",
    "cgroup: host",
    "cgroup_parent: /",
    "network_mode: host",
    "network_mode: container:x",
    "network_mode: service:db",
    "network_mode: none",
    "runtime: kata",
    "isolation: hyperv",
    "sysctls: {net.core.somaxconn: 1}",
    "sysctls: [kernel.msgmax=1]",
    "oom_kill_disable: true",
    "oom_score_adj: -1000",
    "storage_opt: {size: 1g}",
    "credential_spec: {file: x.json}",
    "external_links: [other]",
    "use_api_socket: true",
    "provider: {type: x}",
    "models: [x]",
    "post_start: [{command: x, privileged: true}]",
    "pre_stop: [{command: x}]",
    "cpu_rt_runtime: 100",
    "volumes_from: [container:x]",
    "ulimits: {rtprio: 99}",
    "extra_hosts: ['host.docker.internal:host-gateway']",
    "extra_hosts: {metadata: 169.254.169.254}",
    "extra_hosts: {metadata: '::ffff:169.254.169.254'}",
    "extra_hosts: {zero: 0.0.0.0}",
    "extra_hosts: ['a b:1.2.3.4']",
    'extra_hosts: {h: "2001:db8::1%x\\n1.2.3.4 y"}',
    "extra_hosts: ['h:fe80::1%eth0']",
    "links: [another-pr-1-web]",
    "tmpfs: /proc",
    "env_file: /etc/environment",
    "env_file: ../x.env",
    "env_file: leaving",
    "configs: [outside]",
    "secrets: [outside]",
    "configs: [{source: inside, target: /proc/x}]",
    "extends: {file: ../x.yml, service: web}",
    "extends: {file: https://example.com/x.yml, service: web}",
    "build: https://github.com/a/b.git",
    "build: git@github.com:a/b.git",
    "build: github.com/a/b",
    "build: ..",
    "build: /",
    "build: leaving",
    "build: '-'",
    "build: {context: ., dockerfile: ../Dockerfile}",
    "build: {context: ., dockerfile: /etc/passwd}",
    "build: {context: ., ssh: default}",
    "build: {context: ., secrets: [s]}",
    "build: {context: ., network: host}",
    "build: {context: ., privileged: true}",
    "build: {context: ., entitlements: [security.insecure]}",
    "build: {context: ., additional_contexts: {x: /etc}}",
    "build: {context: ., target: '--x'}",
    "hostname: 'a b'",
    "stop_signal: 'x y'",
    "platform: '--x'",
]
_OF_OTHER_WORDS = [
    ("links: ['db:a b']", "A link: `a b` is no host name"),
    ("labels: {revieee.instance: x}", "`revieee.…` is Revieee's own"),
    ("labels: ['Revieee.Environment=x']", "`revieee.…` is Revieee's own"),
    ("label_file: labels.env", "`revieee.…` is Revieee's own"),
    ("deploy: {resources: {reservations: {devices: [{capabilities: [gpu]}]}}}", "`devices` is refused"),
    ("volumes: ['/:/host']", "is a path of the machine"),
    ("volumes: ['/etc/passwd:/x:ro']", "is a path of the machine"),
    ("volumes: ['~/.ssh:/x']", "is a path of the machine"),
    ("volumes: ['../other:/x']", "is outside the repository"),
    ("volumes: ['./a/../../b:/x']", "is outside the repository"),
    ("volumes: ['${UP:-..}/x:/x']", "is outside the repository"),
    ("volumes: ['/var/run/docker.sock:/var/run/docker.sock']", "The engine's socket"),
    ("volumes: ['./sock/docker.sock:/x']", "The engine's socket"),
    ("volumes: ['C:\\x:/x']", "The volume `C` is not declared"),
    ("volumes: ['\\\\server\\x:/x']", "is outside the repository"),
    ("volumes: [{type: bind, source: /etc, target: /x}]", "is a path of the machine"),
    ("volumes: [{type: npipe, source: x, target: /x}]", "A volume's `type` must be one of"),
    ("volumes: [{type: cluster, source: x, target: /x}]", "A volume's `type` must be one of"),
    ("volumes: [{type: image, source: x, target: /x}]", "A volume's `type` must be one of"),
    ("volumes: [{type: volume, source: v, target: /x, volume: {subpath: ../..}}]", "`subpath` is refused"),
    ("volumes: [{type: bind, source: ./a, target: /x, bind: {propagation: rshared}}]", "`propagation` is refused"),
    ("volumes: ['v:/']", "nothing can be mounted at"),
    ("volumes: ['v:/proc']", "nothing can be mounted at"),
    ("volumes: ['v:/x/../sys/fs']", "nothing can be mounted at"),
    ("volumes: ['v:relative']", "must be an absolute path in the container"),
    ("volumes: ['undeclared:/x']", "The volume `undeclared` is not declared"),
    ("volumes: ['leaving:/x', './leaving:/x']", "'leaving' "),
    ("volumes: ['./deep/leaving/x:/x']", "'deep/leaving/x' "),
    ("volumes: ['./module/x:/x']", "is in a submodule"),
    ("extends: {file: leaving, service: web}", "'leaving' "),
]
SERVICE_LINES = [*((line, f"`{line.partition(':')[0]}`") for line in _OF_THEIR_KEY), *_OF_OTHER_WORDS]
"""Lines of a service that would reach out, each with words of why it is refused."""

TOP_LINES = [
    "include: [../x.yml]",
    "include: ['https://example.com/x.yml']",
    "include: [{path: git@github.com:a/b.git}]",
    "include: [{path: inside.yml, env_file: ../.env}]",
    "include: [{path: inside.yml, project_directory: ..}]",
    "include: [leaving]",
    "volumes: {v: {external: true}}",
    "volumes: {v: {driver: nfs}}",
    "volumes: {v: {driver_opts: {type: none, o: bind, device: /}}}",
    "volumes: {'../x': }",
    "secrets: {s: {external: true}}",
    "secrets: {s: {driver: vault}}",
    "configs: {c: {template_driver: golang}}",
    "models: {m: {model: x}}",
    "unknown: 1",
]

FILES: dict[str, Content] = {
    "Dockerfile": "FROM scratch",
    "a/file": "x",
    "inside.yml": "services: {}",
    "labels.env": "revieee.release=1",
    "leaving": Link("/etc"),
    "deep/leaving": Link("../../.."),
    "module": Submodule(),
}

SAYS_NOTHING = [
    "privileged: false",
    "cap_add: []",
    "devices:",
    "security_opt: [no-new-privileges:true]",
    "network_mode: bridge",
    "ipc: private",
    "pid: ''",
    "oom_kill_disable: ${OFF:-false}",
    "build: {context: ., network: default, privileged: false}",
]
"""Keys that could reach out, set so that they do not."""

HARMLESS_LINES = [
    ("container_name: x", "`container_name` is rewritten"),
    ("ports: ['127.0.0.1:80:80']", "Ports of the machine are not used"),
    ("mac_address: x", "`mac_address` is rewritten"),
    ("networks: {default: {ipv4_address: 10.0.0.5}}", "`ipv4_address` is rewritten"),
    ("scale: 3", "`scale` is rewritten"),
    ("deploy: {replicas: 3}", "`replicas` is rewritten"),
    ("cap_drop: [ALL]", "`cap_drop` is left out"),
    ("dns: 8.8.8.8", "`dns` is left out"),
    ("pull_policy: always", "`pull_policy` is left out"),
    ("develop: {watch: []}", "`develop` is left out"),
    ("volumes: ['/etc/localtime:/etc/localtime:ro']", "The mount of `/etc/localtime` is left out"),
    ("volumes: [/cache]", "has no name, so it is part of the container"),
    ("volumes: ['./gone:/x']", "is not in the repository"),
    ("extra_hosts: ['me=127.0.0.1', 'six=::1']", "`127.0.0.1` is the container itself, not the machine"),
    ("extra_hosts: {gateway: 172.17.0.1}", "`172.17.0.1` is on the machine or in a private network"),
]
"""Lines of a service that are changed or left out, each with what is told of it."""

HARMLESS_TOPS = [
    ("networks: {n: {external: true}}", "`external` is rewritten"),
    ("networks: {n: {name: shared, driver: overlay}}", "`name` is rewritten"),
    ("networks: {n: {ipam: {config: [{subnet: 172.17.0.0/16}]}}}", "`ipam` is rewritten"),
    ("volumes: {v: {name: shared}}", "`name` is rewritten"),
]
"""The same outside of services."""


def service_text(line: str) -> str:
    """A compose file whose service `web` has this line, its fifth; what the line may name stands below."""
    return (
        f"services:\n  web:\n    image: nginx\n    ports: [80]\n    {line}\n  db: {{image: b}}\n"
        "volumes: {v: , leaving: }\n"
        "configs: {outside: {file: ../x}, inside: {file: a/file}}\n"
        "secrets: {outside: {file: leaving/passwd}, s: {file: a/file}}\n"
    )


def top_text(line: str) -> str:
    """A compose file that begins with this line."""
    return f"{line}\nservices:\n  web: {{image: nginx, ports: [80]}}\n"


BUSYBOX = "services:\n  web:\n    image: busybox\n    expose: [80]\n    command: [httpd, -f, -p, '80', -h, /etc]\n"
"""A compose file that runs; further lines of the service may follow."""


def _unfolding() -> Mapping[str, tuple[Mapping[str, Content], str]]:
    laughs = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 30))
    doubling = {f"c{n}.yml": f"include: [c{n + 1}.yml, c{n + 1}.yml]" for n in range(60)}
    variables = "A0=xxxxxxxxxx\n" + "".join(f"A{n}=$A{n - 1}$A{n - 1}$A{n - 1}\n" for n in range(1, 60))
    return {
        "aliases": ({"compose.yaml": f"a0: &a0 x\n{laughs}"}, "too many YAML values"),
        "ten megabytes": ({"compose.yaml": "a" * 10_000_000}, "larger than"),
        "ten megabytes of comment": ({"compose.yaml": BUSYBOX + "# x\n" * 2_500_000}, "larger than"),
        "ten megabytes of manifest": ({"compose.yaml": BUSYBOX, "revieee.yml": "#" * 10_000_000}, "larger than"),
        "ten thousand services": (
            {"compose.yaml": "services:\n" + "".join(f"  s{n}: {{image: busybox}}\n" for n in range(10_000))},
            "services",
        ),
        "includes that double": (
            {**doubling, "compose.yaml": f"include: [c0.yml]\n{BUSYBOX}"},
            "in a circle or too deep",
        ),
        "variables that grow": ({"compose.yaml": BUSYBOX, ".env": variables}, "too many characters"),
        "unknown keys": ({"compose.yaml": BUSYBOX + "".join(f"    k{n}: 1\n" for n in range(1000))}, "unknown"),
        "a key twice": ({"compose.yaml": BUSYBOX + "    image: busybox\n"}, "already there"),
        "a tag that makes objects": (
            {"compose.yaml": BUSYBOX + "    environment: !!python/object/apply:os.system [id]\n"},
            "compose.yaml:6",
        ),
        "nested ten thousand deep": ({"compose.yaml": "a: " + "[" * 10_000}, "compose.yaml:"),
    }


UNFOLDING = _unfolding()
"""Commits that unfold into much, or into what they should not, and a word of why they are refused."""
