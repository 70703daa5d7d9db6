"""Names that strangers choose: what a shell, a command line, a page, a terminal or a cut would make more of.

`CANARY` stands for the path of a file that nobody makes, unless a name reaches a shell.
"""

CANARY = "CANARY"

_SHELL = [
    f"$(touch${{IFS}}{CANARY})",
    f"`touch${{IFS}}{CANARY}`",
    f";touch${{IFS}}{CANARY};",
    f"x|touch${{IFS}}{CANARY}&",
]
_PAGES = [
    "<img/src=x/onerror=alert(1)>",
    "</summary><script>alert(1)</script>",
    "@everyone/#1",
    "%0d%0aSet-Cookie=x",
    "{{7*7}}${{secrets.X}}".replace("*", "+"),
    "'\"quoted\"'",
]
_UNSEEN = ["\u202egnp.exe", "a\u2028b\u0085c", "\u200b\ufeff"]

BRANCHES = [
    *_SHELL,
    *_PAGES,
    *_UNSEEN,
    "-rf",
    f"--upload-pack=touch${{IFS}}{CANARY}",
    "x" * 120 + "/" + "y" * 133 + "a",
    "x" * 120 + "/" + "y" * 133 + "b",
    "a_b",
    "a-b",
    "refs/heads/main",
]
"""As far as git lets them be (git-check-ref-format(1)); two are of 255 bytes and collide after cutting."""

TAGS = [*_SHELL, *_PAGES, "--all", "feature"]

REPOSITORIES = ["-rf", "--upload-pack", "...", "_", ".github", "a_b", "a-b", "a.b", "x" * 99 + "y", "x" * 99 + "z"]
"""What GitHub lets a repository be called; several read alike, or do after cutting."""

ENVIRONMENTS = [
    f"acme/$(touch {CANARY})#1",
    "../../etc#1",
    "acme/shop#1;id",
    "acme/\u202eshop#1",
    "acme/shop\n#1",
    "--help/x#1",
    "' OR 1=1 --",
]
"""What somebody may write where a command takes an environment."""

SERVICES = ["-rf", "--privileged", "..", "a_b", "a-b", "a.b", "x" * 63, "x" * 62 + "y"]
"""What the reader of compose files takes."""

NO_SERVICES = [*_SHELL, *_PAGES, *_UNSEEN, "a\nb", "a b", "../x", "", "x" * 255, "\x1b[31mred"]

NO_IMAGES = [
    *_SHELL,
    *_PAGES,
    *_UNSEEN,
    "-v",
    "--privileged",
    "busybox:$(id)",
    "busybox:-x",
    "a\nb",
    "../busybox",
    "x" * 255 + "/y",
    "busybox:" + "x" * 129,
    "\x1b[31mred",
]

PATHS = [
    f"$(touch {CANARY})",
    f"`touch {CANARY}`",
    "; id #",
    "-f",
    "--file=x",
    "<script>alert(1)",
    "\u202egnp.exe",
    "a\nb",
    "\x1b[31mred",
    "f" * 255,
    "..x",
]
"""Files of a repository; paths are as git allows them."""
