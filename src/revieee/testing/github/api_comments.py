"""REST: comments of pull requests (GitHub keeps them under issues) and their reactions."""

from __future__ import annotations

from datetime import UTC, datetime

from starlette.responses import Response

from revieee.testing.github import pulls, shapes_pulls
from revieee.testing.github.api import Call, Rule, answer, nothing, paged
from revieee.testing.github.auth import ApiError, not_found
from revieee.testing.github.hub import invalid
from revieee.testing.github.state import ROLES, Comment, Reaction

COMMENTS = "/repos/{owner}/{repo}/issues/{issue_number}/comments"
COMMENT = "/repos/{owner}/{repo}/issues/comments/{comment_id}"


def _comment(call: Call) -> Comment:
    wanted = call.number("comment_id")
    for pull in call.repository.pulls.values():
        for one in pull.comments:
            if one.id == wanted:
                return one
    raise not_found()


def _own(call: Call) -> Comment:
    """Give the comment where the caller may change it: its author, or one who may write."""
    one, caller = _comment(call), call.caller
    writer = ROLES.index(call.repository.role(caller.user)) >= ROLES.index("write")
    if caller.installation is None and caller.signed_in() is not one.user and not writer:
        raise ApiError(403, "Must have admin rights to Repository.")
    return one


async def list_comments(call: Call) -> Response:
    """GET the comments, oldest first; `since` leaves out what was last changed before it."""
    found = call.pull("issue_number").comments
    since = call.request.query_params.get("since")
    if since:
        try:
            begin = datetime.fromisoformat(since).astimezone(UTC)
        except ValueError:
            raise invalid("IssueComment", "since", "since is not a valid time") from None
        found = [one for one in found if one.updated_at >= begin]
    return paged(call, found, lambda one: shapes_pulls.comment(call.at, one))


async def create_comment(call: Call) -> Response:
    """POST a comment."""
    user, installation = call.caller.signed_in(), call.caller.installation
    app = None if installation is None else installation.app
    one = pulls.comment(call.hub, call.pull("issue_number"), user, call.must_text("body"), app)
    return answer(shapes_pulls.comment(call.at, one), 201)


async def get_comment(call: Call) -> Response:
    """GET one comment."""
    return answer(shapes_pulls.comment(call.at, _comment(call)))


async def edit_comment(call: Call) -> Response:
    """PATCH a comment's text."""
    one = _own(call)
    pulls.edit_comment(call.hub, one, call.must_text("body"), call.caller.signed_in())
    return answer(shapes_pulls.comment(call.at, one))


async def delete_comment(call: Call) -> Response:
    """DELETE a comment."""
    pulls.delete_comment(call.hub, _own(call), call.caller.signed_in())
    return nothing()


async def list_reactions(call: Call) -> Response:
    """GET reactions."""
    return paged(call, _comment(call).reactions, lambda one: shapes_pulls.reaction(call.at, one))


async def create_reaction(call: Call) -> Response:
    """POST a reaction; the same one twice is one (200)."""
    one, user, content = _comment(call), call.caller.signed_in(), call.must_text("content")
    if content not in shapes_pulls.REACTIONS:
        raise invalid("Reaction", "content", "content is not a reaction", "invalid")
    for former in one.reactions:
        if former.user is user and former.content == content:
            return answer(shapes_pulls.reaction(call.at, former))
    new = Reaction(call.hub.new_id(), user, content, call.hub.clock())
    one.reactions.append(new)
    return answer(shapes_pulls.reaction(call.at, new), 201)


READ = ("issues:read", "pull_requests:read")
WRITE = ("issues:write", "pull_requests:write")
ROUTES = [
    Rule("GET", COMMENTS, list_comments, "read", READ),
    Rule("POST", COMMENTS, create_comment, "read", WRITE),
    Rule("GET", COMMENT, get_comment, "read", READ),
    Rule("PATCH", COMMENT, edit_comment, "read", WRITE),
    Rule("DELETE", COMMENT, delete_comment, "read", WRITE),
    Rule("GET", f"{COMMENT}/reactions", list_reactions, "read", READ),
    Rule("POST", f"{COMMENT}/reactions", create_reaction, "read", WRITE),
]
