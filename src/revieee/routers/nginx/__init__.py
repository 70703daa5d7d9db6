"""The router on nginx with a small Lua part: started and adopted by us, and outliving us.

Nothing of the request path is in Python: :mod:`.config` writes what nginx runs, :mod:`.process` starts and finds it,
:mod:`.router` tells it routes over its unix socket. How it works and how to operate it: docs/router.md.
"""

from revieee.routers.nginx.options import Inside, RouterOptions, Tls
from revieee.routers.nginx.router import NginxRouter

__all__ = ["Inside", "NginxRouter", "RouterOptions", "Tls"]
