"""What a secret may be called and hold."""

import pytest

from revieee.model.names import BadName
from revieee.model.secrets import LEAST, MOST, Secrets, secret_name, secret_value


@pytest.mark.parametrize("name", ["A", "_x", "STRIPE_KEY", "a1", "X" * 128])
def test_names_of_variables(name: str) -> None:
    assert secret_name(name) == name


NONE = ["", "1A", "A-B", "A B", "A=B", "A\n", "Ä", "--help", "X" * 129]
TAKEN = ["PATH", "Path", "REVIEEE_URL", "LD_PRELOAD"]


@pytest.mark.parametrize("name", [*NONE, *TAKEN])
def test_what_is_no_name_or_taken(name: str) -> None:
    with pytest.raises(BadName):
        secret_name(name)


def test_one_line_end_is_not_part_of_it() -> None:
    assert secret_value(b"hunter22\n") == "hunter22"
    assert secret_value(b"hunter22\r\n") == "hunter22"
    assert secret_value(b"hunter22\n\n") == "hunter22\n"


@pytest.mark.parametrize("data", [b"", b"\n", b"x" * (LEAST - 1), b"x" * (MOST + 1), b"\xff" * 9, b"1234567\x00"])
def test_a_value_that_cannot_be_one_is_refused_without_being_repeated(data: bytes) -> None:
    with pytest.raises(ValueError, match="The value") as caught:
        secret_value(data)
    assert "xxxx" not in str(caught.value)
    assert "1234567" not in str(caught.value)


def test_printing_them_shows_none() -> None:
    assert "hunter22" not in repr(Secrets(values=(("A", "hunter22"),), former=("hunter21",)))
