import pytest

from revieee.model.reading.findings import Budget, OverBudget
from revieee.model.reading.interpolation import BadTemplate, Interpolation

VARIABLES = {"SET": "value", "EMPTY": "", "OTHER": "other"}


def fill(text: str, unset: list[str] | None = None) -> str:
    return Interpolation(VARIABLES.get, (unset if unset is not None else []).append, Budget())(text)


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("plain", "plain"),
        ("$SET", "value"),
        ("${SET}", "value"),
        ("a$SET-b", "avalue-b"),
        ("${SET}${OTHER}", "valueother"),
        ("$$SET $${SET} $$$SET", "$SET ${SET} $value"),
        ("${UNSET:-default}|${EMPTY:-default}|${SET:-default}", "default|default|value"),
        ("${UNSET-default}|${EMPTY-default}|${SET-default}", "default||value"),
        ("${SET:?no}|${SET?no}|${EMPTY?no}", "value|value|"),
        ("${UNSET:+there}|${EMPTY:+there}|${SET:+there}", "||there"),
        ("${UNSET+there}|${EMPTY+there}|${SET+there}", "|there|there"),
        ("${UNSET:-${EMPTY:-${OTHER}}}", "other"),
        ("${UNSET:-$SET/${OTHER:+x}}y", "value/xy"),
        ("${SET:+${OTHER}}", "other"),
        ("${UNSET:-a:b?c-d}", "a:b?c-d"),
        ("${UNSET:-}", ""),
        ("${UNSET:-$$x}", "$x"),
        ("http://${UNSET-localhost}:80/", "http://localhost:80/"),
    ],
)
def test_every_form_of_a_variable(text: str, filled: str) -> None:
    assert fill(text) == filled


@pytest.mark.parametrize("text", ["$", "$1", "$(ls)", "${", "${SET", "${}", "${1}", "${SET/a/b}", "${SET!}", "a $ b"])
def test_a_dollar_sign_that_is_no_variable_is_refused(text: str) -> None:
    with pytest.raises(BadTemplate):
        fill(text)


@pytest.mark.parametrize("text", ["${UNSET:?needs a value}", "${EMPTY:?needs a value}", "${UNSET?needs a value}"])
def test_a_required_variable_says_what_its_author_wrote(text: str) -> None:
    with pytest.raises(BadTemplate, match="required and not set: needs a value"):
        fill(text)


def test_a_variable_that_is_not_set_is_told_once_per_use() -> None:
    unset: list[str] = []
    assert fill("[$A${B}${C:-}]", unset) == "[]"
    assert unset == ["A", "B"]


def test_values_that_grow_without_end_are_refused() -> None:
    long = Interpolation({"A": "x" * 100_000}.get, lambda _: None, Budget(characters=1_000_000))
    with pytest.raises(OverBudget):
        long("$A" * 100)
    with pytest.raises(BadTemplate, match="nested deeper"):
        fill("${X:-" * 50 + "}" * 50)
