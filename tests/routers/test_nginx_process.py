"""nginx's own life: started, adopted, replaced, and there without us."""

import asyncio
import dataclasses
import datetime as dt
import os
import shutil
import signal
import ssl
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from revieee.model.route import Route, RouteState
from revieee.ports import Fault, RetryLater, Severity
from revieee.routers.nginx import NginxRouter, RouterOptions, Tls
from support.routing import Place, app, running, says

HOST = "web-pr-1.localhost"
CONTROL_PLANE = """
import asyncio, pathlib, sys
from revieee.routers.nginx import NginxRouter, RouterOptions
router = NginxRouter(RouterOptions(data=pathlib.Path(sys.argv[1]), listen=("127.0.0.1", int(sys.argv[2]))))
asyncio.run(router.ensure())
print("ready", flush=True)
input()
"""


def alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def workers(master: int) -> list[int]:
    return [int(pid) for pid in Path(f"/proc/{master}/task/{master}/children").read_text().split()]


def install(original: str, program: Path) -> None:
    """Put a program where it is looked for, as a package manager does: what runs keeps its own file."""
    program.unlink(missing_ok=True)
    shutil.copy(original, program)


def master(options: RouterOptions) -> int:
    return int((options.folder / "nginx.pid").read_text())


async def ended(pid: int) -> None:
    for _ in range(500):
        if not alive(pid):
            return
        await asyncio.sleep(0.02)
    pytest.fail(f"process {pid} is still there")


async def test_nginx_outlives_a_killed_control_plane_and_is_adopted(options: RouterOptions) -> None:
    options = dataclasses.replace(options, pages={}, hold_seconds=20)
    arguments = [sys.executable, "-c", CONTROL_PLANE, str(options.data), str(options.listen[1])]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as control_plane:  # noqa: ASYNC220 - it lives beside the test
        assert control_plane.stdout
        assert await asyncio.to_thread(control_plane.stdout.readline) == b"ready\n"
        started = master(options)
        control_plane.kill()
    async with running(options) as place, app(says("me")) as web:
        assert master(options) == started
        await place.router.push([web.route(HOST, 1)])
        assert (await place.get(HOST)).text == "me"


async def test_routes_are_there_after_a_restart_without_a_control_plane(place: Place) -> None:
    async with app(says("me")) as web, app(says("pushed since")) as since:
        await place.router.push_all([web.route(HOST, 1), web.route("b.localhost", 1), web.route("c.localhost", 1)])
        await place.router.push([since.route("b.localhost", 2)])
        await place.router.push([Route(hostname="c.localhost", state=RouteState.GONE, version=2)])
        await place.stop_control()
        await place.router.stop()
        with pytest.raises(httpx.ConnectError):
            await place.get(HOST)
        await place.router.ensure()
        assert (await place.get(HOST)).text == "me"
        assert (await place.get("b.localhost")).text == "pushed since"
        assert (await place.get("c.localhost")).status_code == 404


async def test_a_push_after_the_table_was_read_is_there_after_a_restart(place: Place) -> None:
    async with app(says("read")) as read, app(says("pushed since")) as since:
        table = [read.route(HOST, 1), read.route("b.localhost", 1)]
        await place.router.push_all(table[:1])
        await place.router.push([since.route(HOST, 2)])
        await place.router.push_all(table)
        await place.stop_control()
        await place.router.stop()
        await place.router.ensure()
        assert (await place.get(HOST)).text == "pushed since"
        assert (await place.get("b.localhost")).text == "read"


async def test_a_new_configuration_is_taken_over_without_losing_a_request_or_a_route(place: Place) -> None:
    answer_now = asyncio.Event()

    async with app(says("me")) as web:
        await place.router.push([web.route(HOST, 1)])
        before = master(place.router.options)
        failures: list[object] = []

        async def visits() -> None:
            while not answer_now.is_set():
                answer = await place.get(HOST)
                if answer.text != "me":
                    failures.append(answer)

        visiting = asyncio.create_task(visits())
        changed = NginxRouter(dataclasses.replace(place.router.options, hold_seconds=3))
        await changed.ensure()
        answer_now.set()
        await visiting
        assert failures == []
        assert master(place.router.options) == before
        assert (await changed.check())[-1].words.startswith("It runs with this configuration")
        folders = list(place.router.options.folder.glob("configuration-*"))
        assert len(folders) == 1


async def test_a_new_nginx_program_takes_over_the_open_ports(options: RouterOptions, tmp_path: Path) -> None:
    program = tmp_path / "bin" / "nginx"
    program.parent.mkdir()
    original = options.program
    install(original, program)
    options = dataclasses.replace(options, program=str(program))
    async with running(options) as place, app(says("me")) as web:
        await place.router.push([web.route(HOST, 1)])
        before = master(options)
        install(original, program)
        await NginxRouter(dataclasses.replace(options, hold_seconds=3)).ensure()
        await ended(before)
        assert master(options) != before
        assert (await place.get(HOST)).text == "me"


async def test_a_killed_master_is_replaced(place: Place) -> None:
    async with app(says("me")) as web:
        await place.router.push([web.route(HOST, 1)])
        before = master(place.router.options)
        os.kill(before, signal.SIGKILL)
        await ended(before)
        assert (await place.get(HOST)).text == "me"  # its workers go on
        await place.router.ensure()
        assert master(place.router.options) != before
        assert (await place.get(HOST)).text == "me"


async def test_requests_of_a_killed_worker_are_counted_no_more(place: Place) -> None:
    arrived = asyncio.Event()

    async def never(_: object) -> None:
        arrived.set()
        await asyncio.Event().wait()

    async with app(never) as web:
        await place.router.push([web.route(HOST, 1)])
        visit = asyncio.create_task(place.get(HOST))
        await arrived.wait()
        assert await place.router.open_requests() == {web.endpoint: 1}
        for worker in workers(master(place.router.options)):
            os.kill(worker, signal.SIGKILL)
        with pytest.raises(httpx.HTTPError):
            await visit
        for _ in range(200):
            if not (counted := await place.router.open_requests()):
                break
            await asyncio.sleep(0.02)
        assert counted == {}


async def test_a_taken_port_is_told_with_who_has_it(options: RouterOptions) -> None:
    async with app(says("me")) as web:
        router = NginxRouter(dataclasses.replace(options, listen=("127.0.0.1", web.endpoint.port)))
        with pytest.raises(
            Fault, match=rf"Port {web.endpoint.port} of 127.0.0.1 is taken by \S+ \(process {os.getpid()}"
        ):
            await router.ensure()


async def test_a_change_to_a_taken_port_leaves_the_old_one_serving(place: Place) -> None:
    async with app(says("me")) as web:
        await place.router.push([web.route(HOST, 1)])
        moved = dataclasses.replace(place.router.options, listen=("127.0.0.1", web.endpoint.port))
        with pytest.raises(Fault, match="is taken"):
            await NginxRouter(moved).ensure()
        assert (await place.get(HOST)).text == "me"


async def test_doctor_asks_nobody_to_install_nginx_for_a_certificate_that_is_not_there(
    options: RouterOptions, tmp_path: Path
) -> None:
    tls = Tls(certificate=tmp_path / "nowhere.pem", key=tmp_path / "nowhere.key")
    module, router = await NginxRouter(dataclasses.replace(options, tls=tls)).check()
    assert module.severity is Severity.GOOD
    assert (router.severity, router.mend) == (Severity.BAD, "")
    assert "certificate or key cannot be read" in router.words


async def test_a_missing_program_is_told_with_what_to_install(options: RouterOptions) -> None:
    router = NginxRouter(dataclasses.replace(options, program="/nowhere/nginx"))
    with pytest.raises(Fault, match="apt-get install nginx libnginx-mod-http-lua lua-resty-core"):
        await router.ensure()
    assert (await router.check())[0].severity is Severity.BAD


async def test_a_router_that_is_not_there_is_asked_later(options: RouterOptions) -> None:
    router = NginxRouter(options)
    with pytest.raises(RetryLater):
        await router.open_requests()
    with pytest.raises(RetryLater):
        await router.push([Route(hostname=HOST, state=RouteState.BUILDING, version=1)])


async def test_a_data_folder_with_a_long_name_works(options: RouterOptions) -> None:
    data = options.data / ("d" * 100) / ("e" * 60)
    async with running(dataclasses.replace(options, data=data)) as place, app(says("me")) as web:
        await place.router.push([web.route(HOST, 1)])
        assert (await place.get(HOST)).text == "me"


async def test_a_data_folder_behind_a_link_is_the_folder_itself(options: RouterOptions) -> None:
    link = options.data / "link"
    (options.data / "disk").mkdir()
    link.symlink_to("disk")
    async with running(dataclasses.replace(options, data=link)) as place:
        started = master(place.router.options)
        for data in (link, options.data / "disk"):
            again = NginxRouter(dataclasses.replace(options, data=data))
            await again.ensure()
            assert master(again.options) == started


async def test_an_nginx_that_answers_and_is_not_seen_keeps_its_socket(place: Place, options: RouterOptions) -> None:
    elsewhere = NginxRouter(dataclasses.replace(options, data=options.data / "elsewhere"))
    elsewhere.prepare()
    os.link(options.router_socket, elsewhere.options.router_socket)  # as a folder that two containers share
    with pytest.raises(Fault, match=rf"process {master(options)}\) answers"):
        await elsewhere.ensure()
    assert elsewhere.options.router_socket.exists()
    assert await place.router.open_requests() == {}


async def test_nobody_else_can_enter_the_folder_of_the_sockets(place: Place) -> None:
    folder = place.router.options.folder
    assert folder.stat().st_mode & 0o007 == 0
    assert place.router.options.router_socket.parent.stat().st_mode & 0o077 == 0


async def test_two_routers_on_one_machine_know_nothing_of_each_other(place: Place, options: RouterOptions) -> None:
    other = dataclasses.replace(options, data=options.data / "other", listen=("127.0.0.2", place.port))
    async with app(says("me")) as web:
        await place.router.push([web.route(HOST, 1)])
        async with running(other) as beside:
            assert await beside.router.push_all([]) == 0
        assert (await place.get(HOST)).text == "me"


async def test_what_a_trusted_load_balancer_says_reaches_the_app(options: RouterOptions) -> None:
    said = {
        "X-Forwarded-For": "8.8.8.8, 203.0.113.7",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "pr.example.com",
    }
    async with running(dataclasses.replace(options, trusted_proxies=("127.0.0.0/8",))) as place, app(says("me")) as web:
        await place.router.push([web.route(HOST, 1)])
        await place.get(HOST, **said)
        sent = web.requests[0].headers
    assert sent["x-forwarded-for"] == sent["x-real-ip"] == "203.0.113.7"
    assert (sent["x-forwarded-proto"], sent["x-forwarded-port"]) == ("https", "443")
    assert sent["x-forwarded-host"] == "pr.example.com"


def certificate(folder: Path, name: str) -> Tls:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now - dt.timedelta(days=1))
    builder = builder.not_valid_after(now + dt.timedelta(days=1))
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.DNSName(HOST)])
    signed = builder.add_extension(names, critical=False).sign(key, hashes.SHA256())
    tls = Tls(certificate=folder / "certificate.pem", key=folder / "key.pem")
    tls.certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    form = serialization.PrivateFormat.PKCS8
    tls.key.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))
    return tls


async def presented(port: int) -> str:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    der = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    await writer.wait_closed()
    return x509.load_der_x509_certificate(der).subject.rfc4514_string()


async def test_tls_with_a_given_certificate_and_with_a_renewed_one(options: RouterOptions, tmp_path: Path) -> None:
    options = dataclasses.replace(options, tls=certificate(tmp_path, "first"))
    async with running(options) as place, app(says("me")) as web:
        assert options.tls
        await place.router.push([web.route(HOST, 1)])
        trust = ssl.create_default_context(cafile=str(options.tls.certificate))
        async with httpx.AsyncClient(verify=trust, trust_env=False) as client:
            url = f"https://127.0.0.1:{place.port}/"
            answer = await client.get(url, headers={"Host": HOST}, extensions={"sni_hostname": HOST})
        assert answer.text == "me"
        assert web.requests[0].headers["x-forwarded-proto"] == "https"
        plain = await place.get(HOST, "/path?x=1")
        assert (plain.status_code, plain.headers["Location"]) == (308, f"https://{HOST}/path?x=1")
        certificate(tmp_path, "renewed")
        await place.router.ensure()
        assert await presented(place.port) == "CN=renewed"


async def test_a_certificate_that_does_not_fit_its_key_is_refused_and_the_old_one_stays(
    options: RouterOptions, tmp_path: Path
) -> None:
    options = dataclasses.replace(options, tls=certificate(tmp_path, "first"))
    async with running(options) as place:
        assert options.tls
        key = options.tls.key.read_bytes()
        certificate(tmp_path, "renewed")
        options.tls.key.write_bytes(key)
        with pytest.raises(Fault, match="certificate or its key is not good"):
            await place.router.ensure()
        assert await presented(place.port) == "CN=first"


async def test_beside_another_version_the_one_started_last_decides(options: RouterOptions) -> None:
    old, new = NginxRouter(options), NginxRouter(dataclasses.replace(options, hold_seconds=7))

    async def runs_of(router: NginxRouter) -> bool:
        return "with this configuration" in (await router.check())[-1].words

    try:
        await old.ensure()
        await new.ensure()
        await old.ensure()
        await old.ensure()
        assert await runs_of(new), "a tick of the old one changes nothing"
        again = NginxRouter(options)
        await asyncio.gather(again.ensure(), new.ensure(), old.ensure())
        await new.ensure()
        assert await runs_of(again), "started last"
    finally:
        await old.stop()
