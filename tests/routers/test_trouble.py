import os
import socket

import pytest

from revieee.routers.nginx.trouble import explain, who_listens


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        ("nginx: [emerg] bind() to 0.0.0.0:80 failed (13: Permission denied)", "ports below 1024 need root"),
        ("nginx: [emerg] bind() to 10.9.9.9:80 failed (99: Cannot assign requested address)", "not an address of this"),
        ('nginx: [emerg] dlopen() "/usr/lib/m/ngx_http_lua_module.so" failed (no)', "libnginx-mod-http-lua"),
        ("nginx: [error] init_by_lua error: module 'resty.core' not found", "lua-resty-core is missing"),
        ('nginx: [emerg] cannot load certificate "/c.pem": BIO_new_file() failed', "check both files"),
    ],
)
def test_what_nginx_says_is_told_with_what_to_do(words: str, advice: str) -> None:
    assert advice in explain(words)
    assert words in explain(words)


def test_the_address_for_containers_is_not_the_operator_s_to_set() -> None:
    words = "nginx: [emerg] bind() to 10.9.9.9:80 failed (99: Cannot assign requested address)"
    told = explain(words, inside="10.9.9.9")
    assert "REVIEEE_LISTEN" not in told
    assert "`revieee serve` puts it back" in told
    assert "REVIEEE_LISTEN" in explain(words, inside="10.9.9.90")


def test_unknown_trouble_is_told_in_nginxs_words() -> None:
    assert explain("nginx: [emerg] something new") == "nginx cannot start.\nnginx: [emerg] something new"


def test_whoever_listens_on_a_port_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert f"(process {os.getpid()})" in who_listens(server.getsockname()[1])


def test_nobody_listens_on_a_port_that_is_free(free_port: int) -> None:
    assert who_listens(free_port) == ""
