"""Every key of the Compose specification has its treatment (schema of the specification, 2025)."""

import pytest

from revieee.model.reading.compose import table
from revieee.model.reading.compose.table import Table, Treatment

SPECIFICATION: list[tuple[Table, str]] = [
    (table.TOP, "version name include services models networks volumes secrets configs"),
    (
        table.SERVICE,
        """develop deploy annotations attach build blkio_config cap_add cap_drop cgroup cgroup_parent command configs
        container_name cpu_count cpu_percent cpu_shares cpu_quota cpu_period cpu_rt_period cpu_rt_runtime cpus cpuset
        credential_spec depends_on device_cgroup_rules devices dns dns_opt dns_search domainname entrypoint env_file
        label_file environment expose extends provider external_links extra_hosts gpus group_add healthcheck hostname
        image init ipc isolation labels links logging mac_address mem_limit mem_reservation mem_swappiness memswap_limit
        network_mode models networks oom_kill_disable oom_score_adj pid pids_limit platform ports post_start pre_stop
        privileged profiles pull_policy pull_refresh_after read_only restart runtime scale security_opt shm_size secrets
        sysctls stdin_open stop_grace_period stop_signal storage_opt tmpfs tty ulimits use_api_socket user uts
        userns_mode volumes volumes_from working_dir""",
    ),
    (
        table.BUILD,
        """context dockerfile dockerfile_inline entitlements args ssh labels cache_from cache_to no_cache
        additional_contexts network provenance sbom pull target shm_size extra_hosts isolation privileged secrets tags
        ulimits platforms""",
    ),
    (
        table.DEPLOY,
        "mode endpoint_mode replicas labels rollback_config update_config resources restart_policy placement",
    ),
    (table.RESOURCES, "limits reservations"),
    (table.RESOURCE_LIMITS, "cpus memory pids"),
    (table.RESERVATIONS, "cpus memory generic_resources devices"),
    (table.RESTART_POLICY, "condition delay max_attempts window"),
    (table.HEALTHCHECK, "disable interval retries test timeout start_period start_interval"),
    (table.VOLUME_MOUNT, "type source target read_only consistency bind volume tmpfs image"),
    (table.MOUNT_BIND, "propagation create_host_path recursive selinux"),
    (table.MOUNT_VOLUME, "labels nocopy subpath"),
    (table.MOUNT_TMPFS, "size mode"),
    (
        table.NETWORK_OF_SERVICE,
        "aliases interface_name ipv4_address ipv6_address link_local_ips mac_address driver_opts priority gw_priority",
    ),
    (table.NETWORK, "name driver driver_opts ipam external internal enable_ipv4 enable_ipv6 attachable labels"),
    (table.VOLUME, "name driver driver_opts external labels"),
    (table.SECRET, "name content environment file external labels driver driver_opts template_driver"),
    (table.FILE_MOUNT, "source target uid gid mode"),
    (table.ENV_FILE, "path format required"),
    (table.DEPENDENCY, "restart required condition"),
    (table.EXTENDS, "service file"),
    (table.INCLUDE, "path env_file project_directory"),
    (table.PORT, "name mode host_ip target published protocol app_protocol"),
    (table.ULIMIT, "hard soft"),
]


@pytest.mark.parametrize(("keys", "specified"), SPECIFICATION)
def test_the_table_has_every_key_and_no_other(keys: Table, specified: str) -> None:
    assert sorted(keys) == sorted(specified.split())


def test_all_tables_are_compared() -> None:
    assert {id(keys) for _, keys in table.TABLES.values()} == {id(keys) for keys, _ in SPECIFICATION}


def test_whatever_is_not_supported_gives_its_reason() -> None:
    for _, keys in table.TABLES.values():
        for rule in keys.values():
            assert bool(rule.words) is (rule.treatment is not Treatment.SUPPORTED)
