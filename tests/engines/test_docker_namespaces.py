"""The numbers of network namespaces, on the real kernel."""

import json
import os
import subprocess

import pytest

from revieee.engines.docker.namespaces import number
from support.neighbours import Inside, neighbours

ONE, OTHER = 2, 3


async def numbers(*processes: int) -> list[int | None]:
    return [number(one) for one in processes]


@pytest.mark.slow
def test_a_process_s_namespace_has_the_number_that_the_link_to_it_has() -> None:
    with neighbours(ONE, OTHER) as host, Inside(host) as inside:
        links = {one["ifname"]: one.get("link_netnsid") for one in json.loads(host.run("ip", "-json", "address"))}
        expected = [links[host.port(one)] for one in (ONE, OTHER)]
        assert expected[0] != expected[1]
        assert inside.run(numbers(host.processes[ONE], host.processes[OTHER])) == expected


def test_who_has_ended_and_whom_no_link_leads_to_has_none() -> None:
    with subprocess.Popen(["true"]) as ended:
        pass
    assert number(ended.pid) is None
    assert number(os.getpid()) is None
