"""What may be shown in a terminal."""


def printable(text: str) -> str:
    """Take out what could steer a terminal: everything from a repository or a container is hostile."""
    return "".join(one if one in "\n\t" or one.isprintable() else "�" for one in text)
