"""Commands are split as ``shlex`` splits them, and as fast whatever is in them."""

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from revieee.model.reading.shell_words import words

TEXTS = st.lists(
    st.sampled_from(["a", "b c", " ", "\t", "\n", "\r", "'", '"', "\\", '\\"', "\u00a0", "#", "$", "''"])
).map("".join)


@given(TEXTS | st.text(max_size=20))
def test_they_are_those_of_shlex(text: str) -> None:
    try:
        expected = tuple(shlex.split(text))
    except ValueError:
        with pytest.raises(ValueError, match=r"No (closing quotation|escaped character)"):
            words(text)
    else:
        assert words(text) == expected
