"""From repository to stack: reads ``revieee.yml``, compose files, a Dockerfile or ``task_definition.yml``.

Pure: files come through a :class:`~revieee.model.tree.Tree`, everything else is given. All of it is written by
strangers, so every amount has a bound and every path stays in the tree. The way: :mod:`.find` chooses the file,
:mod:`.compose` makes services, :mod:`.assemble` lays ``revieee.yml`` over them.
"""

from revieee.model.reading.find import ORDER, read
from revieee.model.reading.when import SKIP, excluded

__all__ = ["ORDER", "SKIP", "excluded", "read"]
