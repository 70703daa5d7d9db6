"""Settings: environment variables over a file, each fault named, nothing secret said."""

import re
from pathlib import Path

import pytest
from pydantic import SecretStr

from revieee.model.manifest import Limits
from revieee.model.policy import AdmissionPolicy, ForkPolicy, Policy
from revieee.settings import Settings, SettingsError, load

PAGE = Path(__file__).parents[1] / "docs" / "settings.md"
PEM = "-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----\n"


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(Settings.model_fields):
        monkeypatch.delenv(f"REVIEEE_{name.upper()}", raising=False)
    monkeypatch.delenv("REVIEEE_SCREENSHOTS", raising=False)
    monkeypatch.chdir(tmp_path)


def given(monkeypatch: pytest.MonkeyPatch, **values: str) -> None:
    for name, value in values.items():
        monkeypatch.setenv(f"REVIEEE_{name.upper()}", value)


def told(monkeypatch: pytest.MonkeyPatch, **values: str) -> str:
    """What is said of settings that cannot work."""
    given(monkeypatch, **values)
    with pytest.raises(SettingsError) as caught:
        load()
    return str(caught.value)


def default_of(name: str) -> str:
    value = Settings.model_fields[name].default
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if isinstance(value, tuple):
        value = ",".join(value)
    if isinstance(value, bool):
        value = str(value).lower()
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return "" if value in {None, ""} else f"`{value}`"


def test_the_page_lists_every_setting_with_its_default_and_meaning() -> None:
    rows = [
        f"| `REVIEEE_{name.upper()}` | {default_of(name)} | {field.description} |".replace("|  |", "| |")
        for name, field in Settings.model_fields.items()
    ]
    shown = [line for line in PAGE.read_text().splitlines() if line.startswith("| `REVIEEE_")]
    assert shown == rows, "docs/settings.md should say:\n" + "\n".join(rows)


def test_nothing_set_is_a_revieee_of_ones_own() -> None:
    settings = load()
    assert settings.base_url == "http://localhost:8080"
    assert settings.database == f"sqlite:///{Path.cwd()}/var/revieee.db"
    assert settings.listen_address == ("127.0.0.1", 8080)
    assert settings.secrets == ()


def test_the_defaults_of_settings_and_of_policies_are_the_same() -> None:
    policy = load().policy()
    assert policy == Policy(admission=AdmissionPolicy(), limits=Limits())


def test_the_environment_wins_over_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "revieee.toml").write_text('domain = "file.example.com"\nbuilds = 7\nrepositories = ["a/b", "!a/c"]\n')
    given(monkeypatch, domain="Env.Example.com")
    settings = load()
    assert (settings.domain, settings.builds, settings.repositories) == ("env.example.com", 7, ("a/b", "!a/c"))


def test_an_empty_variable_is_as_if_it_were_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    given(monkeypatch, domain="", builds="", tls_certificate="")
    assert load() == Settings()


def test_lists_have_commas_between(monkeypatch: pytest.MonkeyPatch) -> None:
    given(monkeypatch, repositories=" acme/* , !acme/secret,", allow_addresses="10.1.0.0/16,192.168.1.5")
    settings = load()
    assert settings.repositories == ("acme/*", "!acme/secret")
    assert settings.allow_addresses == ("10.1.0.0/16", "192.168.1.5")


def test_two_webhook_secrets_while_one_is_being_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    given(monkeypatch, webhook_secret="old, new")
    assert load().secrets == ("old", "new")


@pytest.mark.parametrize(
    ("values", "url"),
    [
        ({"domain": "r.example.com", "listen": "0.0.0.0:80"}, "http://r.example.com"),
        ({"domain": "r.example.com", "listen": "0.0.0.0:8443"}, "http://r.example.com:8443"),
        (
            {"domain": "r.example.com", "listen": "[::]:443", "tls_certificate": "c", "tls_key": "k"},
            "https://r.example.com",
        ),
        (
            {"domain": "r.example.com", "listen": "0.0.0.0:8443", "tls_certificate": "c", "tls_key": "k"},
            "https://r.example.com:8443",
        ),
        ({"domain": "r.example.com", "public_url": "https://r.example.com/"}, "https://r.example.com"),
    ],
)
def test_the_address_that_people_use(monkeypatch: pytest.MonkeyPatch, values: dict[str, str], url: str) -> None:
    given(monkeypatch, **values)
    assert load().base_url == url
    assert load().policy().base_url == url


def test_units_of_people_become_units_of_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    given(monkeypatch, memory="1024", image_refresh="2", forks="allow", resync="60")
    policy = load().policy()
    assert policy.limits.memory == 1024 * 2**20
    assert policy.pace.image_refresh == 2 * 86_400
    assert policy.pace.resync == 60
    assert policy.admission.forks is ForkPolicy.ALLOW


def test_a_private_key_is_text_or_a_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_text(PEM)
    for value in (PEM, PEM.replace("\n", "\\n"), str(tmp_path / "key.pem")):
        given(monkeypatch, github_app_id="1", github_private_key=value)
        assert load().private_key == PEM
    given(monkeypatch, github_private_key="nowhere.pem")
    with pytest.raises(SettingsError, match="REVIEEE_GITHUB_PRIVATE_KEY is neither a PEM text nor a file"):
        _ = load().private_key


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"domain": "https://r.example.com"}, "Write it like review.example.com"),
        ({"domain": "-a.example.com"}, "Write it like review.example.com"),
        ({"domain": "a..b"}, "Write it like review.example.com"),
        ({"domain": "a; include /etc/passwd"}, "Write it like review.example.com"),
        ({"domain": "a" * 64}, "Write it like review.example.com"),
        ({"domain": ".".join(["a" * 60] * 4)}, "Write it like review.example.com"),
        ({"listen": "8080"}, "Write it like 0.0.0.0:80"),
        ({"listen": "127.0.0.1:0"}, "no port from 1 to 65535"),
        ({"listen": "127.0.0.1:99999"}, "no port from 1 to 65535"),
        ({"listen": "127.0.0.1:80; x"}, "no port from 1 to 65535"),
        ({"network_pool": "8.8.0.0/14"}, "must be inside of"),
        ({"network_pool": "10.0.0.0/26"}, "at least a /25"),
        ({"network_pool": "10.0.0.1/14"}, "no IPv4 network"),
        ({"network_pool": "fd00::/8"}, "no IPv4 network"),
        ({"network_pool": "0.0.0.0/0"}, "must be inside of"),
        ({"allow_addresses": "10.0.0.0/8,example.com"}, "'example.com' is neither an address nor a network"),
        ({"trusted_proxies": "10.0.0.1/8"}, "neither an address nor a network"),
        ({"resolvers": "10.0.0.0/8"}, "no address of a name server"),
        ({"forks": "maybe"}, "REVIEEE_FORKS: Input should be 'refuse', 'ask' or 'allow'"),
        ({"builds": "0"}, "REVIEEE_BUILDS: "),
        ({"builds": "many"}, "REVIEEE_BUILDS: "),
        ({"github_url": "github.com"}, "Write it like https://"),
        ({"github_api_url": "file:///etc/passwd"}, "Write it like https://"),
        ({"tls_certificate": "c.pem"}, "set both or none"),
        ({"github_app_id": "1"}, "set both or none"),
        ({"github_app_id": "1", "github_private_key": "k", "github_token": "t"}, "not both"),
        ({"domian": "x"}, "Unknown settings: REVIEEE_DOMIAN"),
    ],
)
def test_what_cannot_work_is_named_with_what_to_write(
    monkeypatch: pytest.MonkeyPatch, values: dict[str, str], words: str
) -> None:
    assert words in told(monkeypatch, **values)


def test_every_fault_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    words = told(monkeypatch, domain="a b", builds="x", listen="y")
    assert [line.partition(":")[0] for line in words.splitlines()] == [
        "REVIEEE_DOMAIN",
        "REVIEEE_LISTEN",
        "REVIEEE_BUILDS",
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("domain = ", "revieee.toml cannot be read"),
        ("domian = 'x'", "revieee.toml: there is no setting 'domian'"),
        ("builds = 'many'", "REVIEEE_BUILDS: "),
        ("[domain]\na = 1", "REVIEEE_DOMAIN: "),
    ],
)
def test_a_file_that_cannot_work_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str, words: str
) -> None:
    (tmp_path / "revieee.toml").write_text(text)
    assert words in told(monkeypatch)


def test_no_secret_is_ever_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "hunter2"
    given(monkeypatch, webhook_secret=secret, github_token=secret)
    assert secret not in repr(load())
    assert secret not in str(load().model_dump())
    assert secret not in told(monkeypatch, github_app_id="1", github_private_key=secret)


@pytest.mark.parametrize("url", [f"https://me:{'hunter2'}@github.example.com", "ftp://me:hunter2@example.com"])
def test_an_address_with_a_password_is_refused_and_not_repeated(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    words = told(monkeypatch, github_url=url)
    assert "must hold no user and no password" in words
    assert "hunter2" not in words


def test_a_revieee_inside_of_an_environment_does_not_stumble_over_what_services_get(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("URL", "URL_WEB", "PR_NUMBER", "REPOSITORY", "COMMIT", "ENVIRONMENT"):
        monkeypatch.setenv(f"REVIEEE_{name}", "x")
    load()


def test_the_page_names_no_setting_that_is_not_there() -> None:
    named = set(re.findall(r"REVIEEE_([A-Z_]+)", PAGE.read_text()))
    assert named <= {name.upper() for name in Settings.model_fields}
