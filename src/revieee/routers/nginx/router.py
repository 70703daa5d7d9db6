"""The router port on nginx."""

import asyncio
import logging
import secrets
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from revieee.clients.nginx import NginxClient, NoAnswer
from revieee.model.route import Endpoint, Route, RouteState
from revieee.ports import Fault, Finding, RetryLater, Severity
from revieee.routers.nginx import files, lines
from revieee.routers.nginx.config import Build, Rendered, render
from revieee.routers.nginx.options import RouterOptions
from revieee.routers.nginx.process import LOG, Nginx
from revieee.routers.nginx.trouble import NOT_INSTALLED, explain

log = logging.getLogger(__name__)

_ANSWER_SECONDS = 10
_LOOK_SECONDS = 0.02
_CANDIDATE = "nginx.conf.candidate"


@dataclass(frozen=True, slots=True)
class _Running:
    digest: str
    master: int


class NginxRouter:
    """Starts or adopts nginx, and tells it routes. Any number of these may speak to one nginx."""

    def __init__(self, options: RouterOptions) -> None:
        """Take the settings; nothing is started or written before :meth:`prepare` or :meth:`ensure`."""
        self.options = options
        self._client = NginxClient(options.router_socket)
        self._nginx = Nginx(options.folder, options.program, options.inside.host if options.inside else None)
        self._ahead: Mapping[str, int] = {}
        self._journal = True
        """Whether the snapshot has lines behind its table, or may not be there at all."""
        self._name, self._seen = secrets.token_hex(8), ""
        """Ours among control planes beside us, and the configuration that we rendered last."""
        self._writing = asyncio.Lock()
        """Held while nginx and the snapshot get the same."""

    def prepare(self) -> None:
        """Make the router's folder, so that the web app can listen on the control socket in it.

        Raises:
            Fault: there is no user for nginx's workers, or the data folder cannot be written.
        """
        try:
            files.prepare_folder(self.options)
        except OSError as error:
            raise Fault(f"The router's folder cannot be made: {error}. Check REVIEEE_DATA and its rights.") from error

    async def ensure(self) -> None:
        """Adopt the running nginx, or start it; replace its configuration where that changed.

        Raises:
            Fault: it cannot be started (a port taken, a module missing), with its own words.
            RetryLater: another process is at it.
        """
        self.prepare()
        async with files.only_one(self.options):
            build = await self._nginx.build()
            rendered = render(self.options, build)
            may_set, running = self._may_set(rendered), await self._running()
            if running and self._nginx.is_master(running.master) and (running.digest == rendered.digest or not may_set):
                self._rotate_log(running.master)
                return
            files.become_setter(self.options, self._name)
            found = await asyncio.to_thread(self._nginx.processes)
            if running and found.master:
                await self._replace(build, rendered, found.master)
            elif running and not found.others:
                raise Fault(
                    f"An nginx that is not seen here (process {running.master}) answers at "
                    f"{self.options.router_socket}; it was left as it is. End it where it runs, in another container "
                    "perhaps, or take another REVIEEE_DATA."
                )
            else:
                # Nothing there; or a master that does not answer; or workers whose master was killed.
                self._nginx.signal(signal.SIGQUIT, found.others)
                if found.master:
                    await self._nginx.end()
                await self._start(build, rendered)
            files.drop_old_configurations(self.options, rendered)

    def _may_set(self, rendered: Rendered) -> bool:
        """Tell whether nginx is to get this configuration in place of another one.

        Beside a control plane of another version the one that was started last decides; and whoever finds that what
        it would write has changed: a certificate was renewed.
        """
        former, self._seen = self._seen, rendered.digest
        return former != rendered.digest or files.is_setter(self.options, self._name)

    async def push(self, routes: Sequence[Route]) -> None:
        """Make these routes known; returns when nginx acknowledged them. State ``gone`` deletes.

        Raises:
            RetryLater: nginx did not answer.
            Refused: a hostname or an endpoint is none.
        """
        if not routes:
            return
        text = "".join(lines.line(route) for route in routes)
        async with self._writing, files.writing(self.options):
            await self._post(text)
            self._journal = True
            await self._kept(files.append, text)

    async def _kept(self, write: Callable[[Path, str], None], text: str) -> bool:
        """Write the snapshot. On a full disk nginx has the routes all the same; a later comparison writes them."""
        try:
            await asyncio.to_thread(write, self.options.snapshot, text)
        except OSError as error:
            log.warning("the router's snapshot could not be written, and is tried again: %s", error)
            self._journal = True
            return False
        return True

    async def push_all(self, routes: Sequence[Route]) -> int:
        """Compare versions and make nginx's whole table this one, snapshot included; gives how many differed.

        A host whose version is higher in nginx than in ``routes`` was pushed after the table was read, most likely, and
        is left alone; the second time in a row it is the store that was set back, and the store wins.

        Raises:
            RetryLater: nginx did not answer.
            Refused: a hostname or an endpoint is none.
        """
        async with self._writing, files.writing(self.options):
            return await self._push_all(routes)

    async def _push_all(self, routes: Sequence[Route]) -> int:
        table = {route.hostname: lines.line(route) for route in routes}
        known = lines.read_table(await self._get("/routes"))
        difference = lines.compare(routes, known)
        set_back = [host for host, version in difference.ahead.items() if self._ahead.get(host) == version]
        unknown = [host for host in difference.ahead if host not in table]
        self._ahead = difference.ahead
        text = [lines.forget_line(host, difference.ahead[host]) for host in dict.fromkeys((*unknown, *set_back))]
        text += [table[host] for host in set_back if host in table]
        text += [table[route.hostname] for route in difference.push]
        if text:
            await self._post("".join(text))
        if difference.ahead.keys() - {*unknown, *set_back}:
            # Pushed after the table was read: their lines are in the snapshot, behind its table, and stay there.
            await self._kept(files.append, "".join(text))
        elif text or self._journal:
            snapshot = "".join(table[route.hostname] for route in routes if route.state is not RouteState.GONE)
            self._journal = not await self._kept(files.replace, snapshot)
        return len(difference.push) + len(difference.ahead)

    async def open_requests(self) -> Mapping[Endpoint, int]:
        """Tell how many requests are open per endpoint; one that is missing has none.

        Raises:
            RetryLater: nginx did not answer, so nothing is known.
        """
        return lines.read_open(await self._get("/open"))

    async def last_seen(self) -> Mapping[str, float]:
        """Tell when each host was last requested (Unix time, seconds).

        Raises:
            RetryLater: nginx did not answer.
        """
        return lines.read_seen(await self._get("/seen"))

    async def stop(self) -> bool:
        """End nginx; open requests are cut. Only on an operator's word. Gives whether there was one.

        Raises:
            Fault: its processes cannot be ended.
        """
        found = await asyncio.to_thread(self._nginx.processes)
        await self._nginx.end()
        files.drop_stale_sockets(self.options)
        return found.master is not None or bool(found.others)

    async def check(self) -> Sequence[Finding]:
        """Tell whether nginx and its Lua module are there, and whether our nginx runs."""
        try:
            build = await self._nginx.build()
        except Fault as fault:
            return [Finding(subject="nginx", severity=Severity.BAD, words=str(fault), mend=NOT_INSTALLED)]
        findings = [_module_finding(build)]
        try:
            rendered = render(self.options, build)
        except Fault as fault:  # its words say what to do: nothing is to be installed
            return [*findings, Finding(subject="router", severity=Severity.BAD, words=str(fault))]
        running = await self._running()
        if running is None:
            words = "It does not run yet; revieee serve starts it."
            findings.append(Finding(subject="router", severity=Severity.WARNING, words=words))
        else:
            state = "with this configuration" if running.digest == rendered.digest else "with an older configuration"
            words = f"It runs {state} (process {running.master})."
            findings.append(Finding(subject="router", severity=Severity.GOOD, words=words))
        return findings

    async def _running(self) -> _Running | None:
        try:
            digest, master = (await self._client.get("/status")).split()
            return _Running(digest, int(master))
        except (NoAnswer, ValueError):
            return None

    async def _start(self, build: Build, rendered: Rendered) -> None:
        files.write_configuration(self.options, rendered)
        files.drop_stale_sockets(self.options)
        self._journal = True
        await self._nginx.start(build)
        await self._answers(rendered)

    async def _replace(self, build: Build, rendered: Rendered, master: int) -> None:
        """Give a running nginx its new configuration; open requests end with the old one."""
        files.write_configuration(self.options, rendered, _CANDIDATE)
        await self._nginx.test(build, _CANDIDATE)
        files.write_configuration(self.options, rendered)
        if self._nginx.replaced(master):
            # Another binary cannot load the old one's modules: the new one takes over the open ports.
            self._nginx.signal(signal.SIGUSR2, [master])
            await self._answers(rendered)
            self._nginx.signal(signal.SIGQUIT, [master])
        else:
            self._nginx.signal(signal.SIGHUP, [master])
            await self._answers(rendered)

    async def _answers(self, rendered: Rendered) -> None:
        """Wait until nginx answers with the new configuration."""
        for _ in range(int(_ANSWER_SECONDS / _LOOK_SECONDS)):
            running = await self._running()
            if running and running.digest == rendered.digest:
                return
            await asyncio.sleep(_LOOK_SECONDS)
        raise Fault(explain(self._nginx.log_tail()) + f"\nMore in {self.options.folder / LOG}.")

    def _rotate_log(self, master: int) -> None:
        if files.rotate_log(self.options):
            self._nginx.signal(signal.SIGUSR1, [master])

    async def _get(self, path: str) -> str:
        try:
            return await self._client.get(path)
        except NoAnswer as error:
            raise RetryLater(f"The router does not answer: {error}") from error

    async def _post(self, text: str) -> None:
        try:
            await self._client.post("/push", text.encode())
        except NoAnswer as error:
            raise RetryLater(f"The router did not take the routes: {error}") from error


def _module_finding(build: Build) -> Finding:
    subject = "nginx Lua module"
    if "lua" in build.words or all((build.modules / name).exists() for name in ("ngx_http_lua_module.so",)):
        return Finding(subject=subject, severity=Severity.GOOD, words=f"It is there, for nginx {build.version}.")
    words = f"{build.modules / 'ngx_http_lua_module.so'} is missing."
    return Finding(subject=subject, severity=Severity.BAD, words=words, mend=NOT_INSTALLED)
