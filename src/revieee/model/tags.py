"""Names of built images: by repository, branch and commit, valid for Docker whatever the branch is called."""

import hashlib

from revieee.model.names import label, slug

_BRANCH_LENGTH = 60
_COMMIT_LENGTH = 12


def image_prefix(instance: str) -> str:
    """Give the first part of the name of every image that this instance builds."""
    return f"revieee-{_part(instance)}"


def image_tags(
    instance: str, repository: str, branch: str, commit: str, service: str, *, secret: str = ""
) -> tuple[str, ...]:
    """Name the image of one service at one commit.

    The form is that of Docker's image references (distribution's ``reference`` grammar): path components of lower-case
    letters, digits and single hyphens, a tag of at most 128 characters.

    Args:
        instance: the instance's id.
        repository: ``owner/repository``.
        branch: the branch's name; anything, also hostile.
        commit: the full hash.
        service: the service's name.
        secret: of the instance; with it nobody can guess the name of another repository's image, and so cannot build
            on it. A build's output tells its own repository's part, and no other's.
    """
    owner, _, name = repository.partition("/")
    tag = f"{_part(branch, _BRANCH_LENGTH)}-{_part(commit[:_COMMIT_LENGTH])}"
    unguessable = f"{hashlib.sha256(f'{secret} {repository}'.encode()).hexdigest()[:16]}/" if secret else ""
    return (f"{image_prefix(instance)}/{unguessable}{_part(owner)}/{_part(name)}/{_part(service)}:{tag}",)


def built_here(instance: str, reference: str) -> bool:
    """Tell whether an image reference names an image that this instance built.

    A pull request must not start from such an image: it may be another environment's.
    """
    return f"/{image_prefix(instance)}/" in f"/{reference.lower()}"


def _part(text: str, length: int = 63) -> str:
    """Make one component; what loses more than its capitals gets a hash, so ``a_b`` and ``a-b`` stay two."""
    return label(text, unique="" if slug(text) == text.lower() else text, length=length)
