import pytest

from revieee.model.reading.dotenv import BadEnvFile, EnvFile
from revieee.model.reading.findings import Budget


def parse(text: str, *, raw: bool = False) -> dict[str, str | None]:
    return EnvFile({"OUTSIDE": "from outside"}.get, Budget(), raw).parse(text)


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("A=1", "1"),
        ("A = 1 ", "1"),
        ("export A=1", "1"),
        ("A: 1", "1"),
        ("A=", ""),
        ("A=no # a comment", "no"),
        ("A=no#comment", "no#comment"),
        ("A=#", ""),
        ("A='$OUTSIDE # kept'", "$OUTSIDE # kept"),
        ("A='it\\'s'", "it's"),
        ('A="$OUTSIDE"', "from outside"),
        ('A="a\\nb\\tc"', "a\nb\tc"),
        ('A="say \\"hi\\"" # comment', 'say "hi"'),
        ('A="\\$OUTSIDE"', "$OUTSIDE"),
        ("A='two\nlines'", "two\nlines"),
        ("A=${OUTSIDE:-x}/${MISSING:-y}", "from outside/y"),
        ("A=a=b=c", "a=b=c"),
        ("A=postgres://u:p@h/d?x=1&y=2", "postgres://u:p@h/d?x=1&y=2"),
        ("A=1\r\nB=2", "1"),
        ("# A=0\n\n  A=1", "1"),
        ("A=1\nA=2", "2"),
    ],
)
def test_a_line_is_read_as_compose_reads_it(line: str, value: str) -> None:
    assert parse(line)["A"] == value


def test_later_lines_see_earlier_ones() -> None:
    assert parse("HOST=db\nURL=http://${HOST}/x") == {"HOST": "db", "URL": "http://db/x"}


def test_a_name_alone_takes_its_value_from_outside() -> None:
    assert parse("OUTSIDE\nMISSING\n") == {"OUTSIDE": "from outside", "MISSING": None}


def test_raw_takes_values_as_they_stand() -> None:
    assert parse("A='$x' # y", raw=True) == {"A": "'$x' # y"}


@pytest.mark.parametrize(
    ("text", "line"), [("A=1\nfoo bar=2", 2), ("=x", 1), ("\n\nA='open", 3), ('A="x" y', 1), ("A=$(id)", 1)]
)
def test_a_line_that_is_no_variable_says_where_it_is(text: str, line: int) -> None:
    with pytest.raises(BadEnvFile) as found:
        parse(text)
    assert found.value.line == line
