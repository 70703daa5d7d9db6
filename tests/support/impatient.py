"""`revieee serve` that waits for an engine's answer two seconds at most, so that a test need not wait longer either."""

import sys
from functools import partial

from revieee import wiring
from revieee.cli import main
from revieee.model.policy import EngineOptions

SECONDS = 2.0

if __name__ == "__main__":
    setattr(wiring, "EngineOptions", partial(EngineOptions, timeout=SECONDS))  # noqa: B010 -- a class, to the type checker
    sys.argv[1:] = ["serve"]
    main()
