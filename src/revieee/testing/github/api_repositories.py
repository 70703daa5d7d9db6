"""REST: repositories, branches, commits, contents, collaborators."""

from __future__ import annotations

import base64
import binascii

from starlette.responses import Response

from revieee.testing.github import repositories, shapes
from revieee.testing.github.api import Call, Rule, answer, nothing, paged
from revieee.testing.github.auth import ApiError, not_found
from revieee.testing.github.git import NOTHING, Change, Files, GitFailed
from revieee.testing.github.hub import invalid
from revieee.testing.github.shapes import Json, node_id
from revieee.testing.github.state import ROLES

REPO = "/repos/{owner}/{repo}"


async def get_repository(call: Call) -> Response:
    """GET a repository."""
    return answer(shapes.full_repository(call.at, call.repository, call.caller.user))


async def edit_repository(call: Call) -> Response:
    """PATCH a repository: its name, description and privacy."""
    one, sender = call.repository, call.caller.signed_in()
    name = call.text("name")
    if name is not None and name != one.name:
        repositories.rename(call.hub, one, name, sender)
    one.description = call.text("description") or one.description
    one.private = call.flag("private", one.private)
    return await get_repository(call)


async def delete_repository(call: Call) -> Response:
    """DELETE a repository."""
    repositories.delete(call.hub, call.repository, call.caller.signed_in())
    return nothing()


async def my_repositories(call: Call) -> Response:
    """GET the repositories that the signed-in person works on."""
    user = call.caller.signed_in()
    mine = [one for one in call.hub.state.repositories.values() if one.owner is user or user.login.lower() in one.roles]
    return paged(call, mine, lambda one: shapes.full_repository(call.at, one, user))


async def list_branches(call: Call) -> Response:
    """GET all branches."""
    found = await call.hub.git.branches(call.repository.id)

    def shape(pair: tuple[str, str]) -> Json:
        url = f"{call.at.repository(call.repository)}/commits/{pair[1]}"
        return {"name": pair[0], "commit": {"sha": pair[1], "url": url}, "protected": False}

    return paged(call, sorted(found.items()), shape)


async def get_branch(call: Call) -> Response:
    """GET one branch."""
    name = call.path("branch")
    sha = (await call.hub.git.branches(call.repository.id)).get(name)
    if sha is None:
        raise ApiError(404, "Branch not found")
    url = f"{call.at.repository(call.repository)}/branches/{name}"
    links = {"self": url, "html": f"{call.at.web}/{call.repository.full_name}/tree/{name}"}
    shape = {"name": name, "commit": await _commit(call, sha), "_links": links, "protected": False}
    return answer(shape | {"protection": {"enabled": False}, "protection_url": f"{url}/protection"})


async def get_commit(call: Call) -> Response:
    """GET the commit that a branch, tag or hash names."""
    sha = await call.hub.git.resolve(call.repository.id, call.path("ref"))
    if sha is None:
        raise ApiError(422, f"No commit found for SHA: {call.path('ref')}")
    return answer(await _commit(call, sha))


async def _commit(call: Call, sha: str) -> Json:
    fields = await call.hub.git.run(
        call.repository.id,
        "show",
        "--no-patch",
        "--format=%T%x00%P%x00%an%x00%ae%x00%aI%x00%B",
        "--end-of-options",
        sha,
    )
    tree, parents, name, email, when, message = fields.decode(errors="replace").split("\0")
    repo, page = call.at.repository(call.repository), f"{call.at.web}/{call.repository.full_name}"
    who = {"name": name, "email": email, "date": when}
    return {
        "sha": sha,
        "node_id": node_id("Commit", int(sha[:8], 16)),
        "url": f"{repo}/commits/{sha}",
        "html_url": f"{page}/commit/{sha}",
        "comments_url": f"{repo}/commits/{sha}/comments",
        "author": {},
        "committer": {},
        "parents": [{"sha": one, "url": f"{repo}/commits/{one}"} for one in parents.split()],
        "commit": {
            "url": f"{repo}/git/commits/{sha}",
            "author": who,
            "committer": who,
            "message": message.rstrip("\n"),
            "tree": {"sha": tree, "url": f"{repo}/git/trees/{tree}"},
            "comment_count": 0,
        },
    }


def _ref(call: Call, ref: str, sha: str) -> Json:
    repo = call.at.repository(call.repository)
    target = {"type": "commit", "sha": sha, "url": f"{repo}/git/commits/{sha}"}
    return {"ref": ref, "node_id": node_id("Ref", int(sha[:8], 16)), "url": f"{repo}/git/{ref}", "object": target}


async def get_ref(call: Call) -> Response:
    """GET a ref, such as `heads/main` or `pull/1/head`."""
    ref = f"refs/{call.path('ref')}"
    sha = await call.hub.git.resolve(call.repository.id, ref)
    if sha is None:
        raise not_found()
    return answer(_ref(call, ref, sha))


async def create_ref(call: Call) -> Response:
    """POST a new branch."""
    ref, sha = call.must_text("ref"), call.must_text("sha")
    branch = ref.removeprefix("refs/heads/")
    known = await call.hub.git.resolve(call.repository.id, sha)
    if branch == ref or known != sha:
        raise ApiError(
            422, "Reference name must start with 'refs/heads/'" if branch == ref else "Object does not exist"
        )
    if branch in await call.hub.git.branches(call.repository.id):
        raise ApiError(422, "Reference already exists")
    await call.hub.git.set_ref(call.repository.id, ref, sha)
    await repositories.moved(call.hub, call.repository, {branch: (NOTHING, sha)}, call.caller.signed_in())
    return answer(_ref(call, ref, sha), 201)


async def delete_ref(call: Call) -> Response:
    """DELETE a branch."""
    branch = call.path("ref").removeprefix("heads/")
    await repositories.delete_branch(call.hub, call.repository, branch, call.caller.signed_in())
    return nothing()


def _entry(call: Call, row: str, ref: str) -> Json:
    """Write one line of `git ls-tree -l` (openapi: content-directory)."""
    meta, path = row.split("\t", 1)
    _mode, kind, sha, size = meta.split()
    repo, page = call.at.repository(call.repository), f"{call.at.web}/{call.repository.full_name}"
    url, git_url = f"{repo}/contents/{path}?ref={ref}", f"{repo}/git/{kind}s/{sha}"
    html_url = f"{page}/{kind}/{ref}/{path}"
    return {
        "name": path.rsplit("/", 1)[-1],
        "path": path,
        "sha": sha,
        "size": 0 if size == "-" else int(size),
        "url": url,
        "html_url": html_url,
        "git_url": git_url,
        "download_url": f"{page}/raw/{ref}/{path}" if kind == "blob" else None,
        "type": {"tree": "dir", "commit": "submodule"}.get(kind, "file"),
        "_links": {"self": url, "git": git_url, "html": html_url},
    }


async def get_contents(call: Call) -> Response:
    """GET a file (base64) or the list of a folder, at `ref`."""
    git, number = call.hub.git, call.repository.id
    ref = call.request.query_params.get("ref") or call.repository.default_branch
    path = call.request.path_params.get("path", "").strip("/")
    sha = await git.resolve(number, ref)
    if sha is None:
        raise ApiError(404, f"No commit found for the ref {ref}")
    try:
        kind = (await git.run(number, "cat-file", "-t", f"{sha}:{path}")).decode().strip()
    except GitFailed:
        raise not_found() from None
    place = ["--", f"{path}/"] if kind == "tree" and path else ["--", path] if path else []
    rows = (
        (await git.run(number, "ls-tree", "-l", "-z", "--full-tree", sha, *place))
        .decode(errors="replace")
        .split("\0")[:-1]
    )
    if kind == "tree":
        return answer([_entry(call, row, ref) for row in rows])
    content = base64.encodebytes(await git.run(number, "cat-file", "blob", f"{sha}:{path}")).decode()
    return answer(_entry(call, rows[0], ref) | {"content": content, "encoding": "base64"})


async def put_contents(call: Call) -> Response:
    """PUT a file: one commit on a branch."""
    try:
        content = base64.b64decode(call.must_text("content"))
    except binascii.Error:
        raise ApiError(422, "content is not valid Base64") from None
    return await _write(call, {call.path("path"): content})


async def delete_contents(call: Call) -> Response:
    """DELETE a file: one commit on a branch."""
    return await _write(call, {call.path("path"): None})


async def _write(call: Call, files: Files) -> Response:
    repository, user = call.repository, call.caller.signed_in()
    branch = call.text("branch") or repository.default_branch
    parent = (await call.hub.git.branches(repository.id)).get(branch)
    if parent is None:
        raise ApiError(404, f"Branch {branch} not found")
    change = Change(branch, parent, files, call.must_text("message"), user.login, call.hub.clock())
    sha = await repositories.commit(call.hub, repository, change, user)
    ((path, content),) = files.items()
    written = None
    if content is not None:
        row = (await call.hub.git.run(repository.id, "ls-tree", "-l", "-z", sha, "--", path)).decode().rstrip("\0")
        written = _entry(call, row, branch)
    commit = await _commit(call, sha)
    return answer({"content": written, "commit": commit["commit"] | {"sha": sha, "url": commit["url"]}})


async def get_permission(call: Call) -> Response:
    """GET what a person may do in the repository (the answer to trust, unlike `author_association`)."""
    if call.caller.installation is None and ROLES.index(call.repository.role(call.caller.user)) < ROLES.index("write"):
        raise ApiError(403, "Must have push access to view collaborator permission.")
    user = call.hub.state.users.get(call.path("username").lower())
    if user is None:
        raise ApiError(404, f"{call.path('username')} is not a user")
    role = call.repository.role(user)
    coarse = {"triage": "read", "maintain": "write"}.get(role, role)
    shape = shapes.user(call.at, user) | {"role_name": role}
    return answer({"permission": coarse, "role_name": role, "user": shape})


async def set_permission(call: Call) -> Response:
    """PUT a collaborator."""
    names = {"pull": "read", "push": "write"}
    asked = call.text("permission") or "push"
    role = next((one for one in ROLES if one == names.get(asked, asked)), None)
    if role is None:
        raise invalid("Repository", "permission", "invalid permission")
    call.repository.roles[call.path("username").lower()] = role
    return nothing()


CONTENTS = ("contents:read",)
WRITES = ("contents:write",)
ROUTES = [
    Rule("GET", "/user/repos", my_repositories),
    Rule("GET", REPO, get_repository),
    Rule("PATCH", REPO, edit_repository, "admin", ("administration:write",)),
    Rule("DELETE", REPO, delete_repository, "admin", ("administration:write",)),
    Rule("GET", f"{REPO}/branches", list_branches, "read", CONTENTS),
    Rule("GET", f"{REPO}/branches/{{branch:path}}", get_branch, "read", CONTENTS),
    Rule("GET", f"{REPO}/git/ref/{{ref:path}}", get_ref, "read", CONTENTS),
    Rule("POST", f"{REPO}/git/refs", create_ref, "write", WRITES),
    Rule("DELETE", f"{REPO}/git/refs/{{ref:path}}", delete_ref, "write", WRITES),
    Rule("GET", f"{REPO}/contents", get_contents, "read", CONTENTS),
    Rule("GET", f"{REPO}/contents/{{path:path}}", get_contents, "read", CONTENTS),
    Rule("PUT", f"{REPO}/contents/{{path:path}}", put_contents, "write", WRITES),
    Rule("DELETE", f"{REPO}/contents/{{path:path}}", delete_contents, "write", WRITES),
    Rule("GET", f"{REPO}/collaborators/{{username}}/permission", get_permission),
    Rule("PUT", f"{REPO}/collaborators/{{username}}", set_permission, "admin", ("administration:write",)),
]
COMMIT_ROUTES = [Rule("GET", f"{REPO}/commits/{{ref:path}}", get_commit, "read", CONTENTS)]
"""Matched after `/commits/{ref}/status`, since a ref may hold slashes."""
