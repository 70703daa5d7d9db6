"""What repositories may say: several URLs, hooks, `when`, forks, the form of 2017."""

import json
from pathlib import Path

import pytest

from revieee.testing.github import Edit, GitFile, Opening
from revieee.testing.serving import until
from support.plane import Opened, Plane, page, serving

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

TWO = """
services:
  web:
    build: .
    environment: {SAYS: web}
  api:
    build: .
    environment: {SAYS: api}
"""
SCRIPTED = 'FROM busybox\nCOPY www /www\nCMD ["sh", "-c", "exec httpd -f -p $PORT -h /www"]\n'
ASKING = b"""#!/bin/sh
printf 'Content-Type: application/json\\r\\n\\r\\n'
theirs=$(wget -q -O - "$REVIEEE_URL_API/name.txt" || echo "no answer")
printf '{"says": "%s", "branch": "%s", "number": "%s", "repository": "%s", "url": "%s", "api": "%s"}' \\
    "$SAYS" "$BRANCH" "$REVIEEE_PR_NUMBER" "$REVIEEE_REPOSITORY" "$REVIEEE_URL" "$theirs"
"""


async def test_several_services_get_urls_and_reach_each_other_by_them(plane: Plane) -> None:
    opened = await plane.open(
        "two",
        {
            "compose.yaml": TWO,
            "revieee.yml": "expose: {web: 8000, api: 9000}\nhealth: /name.txt\n",
            "Dockerfile": SCRIPTED,
            "www/name.txt": "here I am\n",
            "www/cgi-bin/ask": GitFile(ASKING, "100755"),
        },
    )
    comment = await opened.reaches("live")
    hosts = {name: plane.control.at(f"{name}two-pr-1.localhost") for name in ("", "api-")}
    assert all(f"http://{host}" in comment for host in hosts.values())
    said = json.loads((await opened.get("/cgi-bin/ask")).text)
    assert said == {
        "says": "web",
        "branch": "feature",
        "number": "1",
        "repository": "acme/two",
        "url": f"http://{hosts['']}",
        "api": "here I am",
    }
    other = await opened.get("/cgi-bin/ask", host="api-two-pr-1.localhost")
    assert json.loads(other.text)["says"] == "api"


HOOKED = """
services:
  web:
    build: .
    ports: [80]
    command: sh -c 'cp /data/notes /www/; exec httpd -f -p 80 -h /www'
    volumes: ["data:/data:ro"]
  keeper:
    image: busybox
    command: sleep 100000
    stop_signal: SIGKILL
    volumes: ["data:/data"]
volumes:
  data:
"""
HOOKS = """
expose: web
health: /notes
hooks:
  create: {service: keeper, command: echo created >>/data/notes}
  deploy: {service: keeper, command: %s}
  destroy: {service: keeper, command: cat /data/notes; echo farewell}
"""


async def test_hooks_run_at_their_moments(plane: Plane) -> None:
    files = {"compose.yaml": HOOKED, "Dockerfile": "FROM busybox\nCOPY index.html /www/\n", "index.html": "1\n"}
    opened = await plane.open("hooked", {**files, "revieee.yml": HOOKS % "echo deployed >>/data/notes"})
    await opened.reaches("live")
    assert (await opened.get("/notes")).text == "created\ndeployed\n"
    await opened.push({"index.html": "2\n", "revieee.yml": HOOKS % "echo cannot migrate; exit 4"})
    comment = await opened.reaches("failed")
    assert "cannot migrate" in comment
    assert "deploy hook" in comment
    assert (await opened.get("/")).text == "1\n"
    await opened.push({"index.html": "3\n", "revieee.yml": HOOKS % "echo deployed again >>/data/notes"})
    await opened.reaches("live")
    assert (await opened.get("/notes")).text == "created\ndeployed\ndeployed again\n"
    await opened.close()
    await opened.reaches("gone")
    assert "farewell" in (await plane.control.command("logs", "--build", opened.name)).out


OF_2017 = """
family: shop
container_definitions:
  - name: app
    image: busybox
    memory: 64
    essential: true
    entry_point: [/bin/sh, -c]
    command: ["mkdir /www && echo $BRANCH >/www/index.html && exec httpd -f -p $PORT -h /www"]
    environment:
      - {name: PORT, value: 3000}
    port_mappings:
      - {container_port: 3000, host_port: 0, protocol: tcp}
"""


async def test_a_task_definition_of_2017(plane: Plane) -> None:
    opened = await plane.open("veteran", {"task_definition.yml": OF_2017})
    await opened.reaches("live")
    assert (await opened.get()).text == "feature\n"
    first = await opened.containers()
    await opened.push({"notes.txt": "the container checks the branch out, so every commit replaces it\n"})
    await opened.reaches("live")
    assert (await opened.containers())[:1] != first, "the newest stands first"


async def test_a_label_decides_where_the_manifest_says_so(plane: Plane) -> None:
    opened = await plane.open("picky", {**page("picked"), "revieee.yml": "when: {labels: [preview]}\n"})
    assert "preview" in await opened.reaches("none")
    await plane.github.label(opened.pull, "preview")
    await opened.reaches("live")
    await plane.github.unlabel(opened.pull, "preview")
    await opened.reaches("none")

    async def absent() -> bool:
        return await opened.containers() == []

    assert await until(absent, seconds=30)


async def test_a_title_can_ask_for_none(plane: Plane) -> None:
    opened = await plane.open("shy", page("shy"))
    await opened.reaches("live")
    await plane.github.edit(opened.pull, Edit(title="A change [skip revieee]"))
    assert "[skip revieee]" in (await opened.reaches("none")).replace("\\", "")


async def forked(plane: Plane, name: str) -> Opened:
    full = await plane.repository(name)
    await plane.github.fork(full, "stranger")
    await plane.github.commit(f"stranger/{name}", "feature", page("from a fork"), author="stranger")
    how = Opening(fork=f"stranger/{name}", author="stranger")
    return Opened(plane, await plane.github.open_pull_request(full, "feature", "A gift", how))


async def test_a_fork_gets_none_and_is_told_why(plane: Plane) -> None:
    opened = await forked(plane, "guarded")
    assert "fork" in await opened.reaches("none")
    assert await opened.containers() == []


async def test_a_fork_gets_one_where_the_operator_allows_it(tmp_path: Path, nginx: str) -> None:
    assert nginx
    async with serving(tmp_path, forks="allow") as plane:
        opened = await forked(plane, "welcoming")
        await opened.reaches("live")
        assert (await opened.get()).text == "from a fork\n"
