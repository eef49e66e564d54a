"""docker-compose.yml as a text: pinned, closed, without secrets, and with the settings that our processes read."""

import re
import xml.etree.ElementTree as ElementTree
from typing import Any, Final

import pytest
import yaml
from compose_file import ROOT, TEXT, VARIABLES, Service, services
from pydantic_settings import BaseSettings

from producers.settings import ProducerSettings
from raceline.settings import CommandSettings
from stream_processors.settings import WorkerSettings

SERVICES: Final = services()
RAW: Final[dict[str, Any]] = yaml.safe_load(TEXT)
LASTING: Final = [service for service in SERVICES.values() if service.name != "migrate"]
OURS: Final[dict[str, set[type[BaseSettings]]]] = {
    "migrate": {CommandSettings},
    "collector": {ProducerSettings, CommandSettings},
    "worker": {WorkerSettings},
}
# Of all processes: without them they would look on their own container, or have no rights.
ADDRESSES: Final = {"kafka", "clickhouse_url", "clickhouse_user", "clickhouse_password", "clickhouse_database"}
CONFIG: Final = ROOT / "compose"


def named(service: Service) -> str:
    return service.name


each: Final = pytest.mark.parametrize("service", SERVICES.values(), ids=named)
each_lasting: Final = pytest.mark.parametrize("service", LASTING, ids=named)
each_of_ours: Final = pytest.mark.parametrize("service", [SERVICES[name] for name in OURS], ids=named)


def test_the_stack_has_its_parts() -> None:
    assert set(SERVICES) == {"kafka", "clickhouse", "migrate", "collector", "worker", "grafana"}


BUILT: Final = {service.values["image"] for service in SERVICES.values() if "build" in service.values}


@each
def test_image_is_pinned_or_built_here(service: Service) -> None:
    image, built = service.values["image"], service.values.get("build")
    assert image in BUILT or re.fullmatch(r"[a-z/-]+:\d+(\.\d+)+", image)
    assert not built or (ROOT / built / "Dockerfile").is_file()


def test_each_image_is_built_by_one_service_that_the_others_wait_for_without_asking_a_registry() -> None:
    builders = [service for service in SERVICES.values() if "build" in service.values]
    assert sorted(service.values["image"] for service in builders) == ["raceline", "raceline-grafana"]
    for builder in builders:
        image = builder.values["image"]
        users = [service for service in SERVICES.values() if service.values["image"] == image and service != builder]
        assert all(builder.name in service.values["depends_on"] for service in users)
        assert all(service.values["pull_policy"] == "never" for service in users)
    assert {service.values["image"] for service in map(SERVICES.__getitem__, OURS)} == {"raceline"}


@each
def test_folders_in_memory_belong_to_the_user_who_writes_them(service: Service) -> None:
    """/tmp takes its mode from the image, where everybody may write; a tmpfs itself belongs to root."""
    folders = [folder.partition(":")[::2] for folder in service.values["tmpfs"]]
    owned = {folder: options for folder, options in folders if folder != "/tmp"}
    assert all(re.search(r"\buid=[1-9]\d*,gid=\d+\b", options) for options in owned.values()), owned


def test_kafka_can_write_what_its_image_writes_at_each_start() -> None:
    kafka = SERVICES["kafka"].values
    assert kafka["user"] == "appuser", "1000 in the image"
    assert {f"/opt/kafka/{name}:uid=1000,gid=1000" for name in ("config", "logs")} <= set(kafka["tmpfs"])


@each
def test_container_has_no_more_rights_than_it_needs(service: Service) -> None:
    values = service.values
    assert values["read_only"] is True
    assert values["cap_drop"] == ["ALL"]
    assert not values.keys() & {"cap_add", "privileged", "pid", "ipc", "network_mode", "devices", "container_name"}
    assert values["security_opt"] == ["no-new-privileges:true"]
    assert str(values.get("user", "raceline")).partition(":")[0] not in ("0", "root")
    assert {folder for folder in values["tmpfs"] if folder.startswith("/tmp")} <= {"/tmp", "/tmp:exec"}


@each
def test_logs_have_a_limit_and_zombies_somebody_who_buries_them(service: Service) -> None:
    assert service.values["logging"] == {"driver": "local", "options": {"max-size": "10m", "max-file": "5"}}
    assert service.values["init"] is True


@each_lasting
def test_what_lasts_is_started_again_and_has_a_health(service: Service) -> None:
    assert service.values["restart"] == "unless-stopped"
    health = service.values["healthcheck"]
    assert {"test", "interval", "timeout", "retries", "start_period", "start_interval"} == health.keys()
    assert seconds(health["timeout"]) < seconds(health["interval"])


def seconds(text: str) -> int:
    assert text.endswith("s")
    return int(text[:-1])


@each
def test_only_loopback_of_the_host_is_listened_on(service: Service) -> None:
    published = service.values.get("ports", [])
    assert all(port.startswith("127.0.0.1:") for port in published)
    assert bool(published) == (service.name in ("collector", "grafana"))


def test_workers_can_be_scaled() -> None:
    values = SERVICES["worker"].values
    assert not values.keys() & {"container_name", "hostname", "ports", "volumes"}


def test_what_must_last_is_on_a_named_volume() -> None:
    mounted = {
        volume.partition(":")[0]: volume.partition(":")[2]
        for service in SERVICES.values()
        for volume in service.values.get("volumes", [])
        if not volume.startswith("./")
    }
    assert mounted == {
        "kafka": SERVICES["kafka"].environment["KAFKA_LOG_DIRS"],
        "clickhouse": "/var/lib/clickhouse",
        "spool": "/data",
        "grafana": "/var/lib/grafana",
    }
    assert set(RAW["volumes"]) == set(mounted)


@each
def test_mounted_files_exist_and_are_read_only(service: Service) -> None:
    for volume in service.values.get("volumes", []):
        if volume.startswith("./"):
            source, _, options = volume.split(":")
            assert options == "ro"
            assert (ROOT / source).exists()


def test_parts_wait_for_what_they_need() -> None:
    waits = {
        service.name: {name: rule["condition"] for name, rule in service.values.get("depends_on", {}).items()}
        for service in SERVICES.values()
    }
    brokers = {"kafka": "service_healthy", "clickhouse": "service_healthy"}
    migrated = {**brokers, "migrate": "service_completed_successfully"}
    assert waits == {
        "kafka": {},
        "clickhouse": {},
        "migrate": brokers,
        "collector": migrated,
        "worker": migrated,
        "grafana": {"clickhouse": "service_healthy"},
    }


@each_of_ours
def test_its_variables_are_settings_that_it_reads(service: Service) -> None:
    known = {f"RACELINE_{name}".upper() for settings in OURS[service.name] for name in settings.model_fields}
    assert set(service.environment) - known == set()
    assert {f"RACELINE_{name}".upper() for name in ADDRESSES} <= service.environment.keys()


@each_of_ours
def test_its_settings_are_valid(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in service.environment.items():
        monkeypatch.setenv(name, value)
    for settings in OURS[service.name]:
        read = settings()
        assert getattr(read, "kafka", "kafka:9092") == "kafka:9092"


def test_addresses_are_those_of_the_services() -> None:
    environment = SERVICES["worker"].environment
    host, _, port = environment["RACELINE_KAFKA"].partition(":")
    assert host in SERVICES
    assert f"//{host}:{port}" in SERVICES["kafka"].environment["KAFKA_ADVERTISED_LISTENERS"]
    assert environment["RACELINE_CLICKHOUSE_URL"] == "http://clickhouse:8123"
    assert SERVICES["grafana"].environment["CLICKHOUSE_HOST"] == "clickhouse"
    assert SERVICES["grafana"].environment["CLICKHOUSE_DATABASE"] == environment["RACELINE_CLICKHOUSE_DATABASE"]


def test_published_ports_lead_to_the_port_that_is_listened_on() -> None:
    [published] = SERVICES["collector"].values["ports"]
    assert published == "127.0.0.1:8080:" + SERVICES["collector"].environment["RACELINE_PORT"]
    assert services({**VARIABLES, "COLLECTOR_PORT": "9000"})["collector"].values["ports"] == ["127.0.0.1:9000:8080"]


def secret(name: str) -> bool:
    return re.search("PASSWORD|SECRET|TOKEN|KEY", name) is not None


def test_no_secret_is_in_the_file_and_each_is_required() -> None:
    found = {
        name: value
        for service in RAW["services"].values()
        for name, value in service.get("environment", {}).items()
        if secret(name)
    }
    assert found
    assert all(re.fullmatch(r"\$\{\w+:\?.+\}", value) for value in found.values()), found
    assert all(secret(name) for name in VARIABLES)


def users() -> ElementTree.Element:
    return ElementTree.parse(CONFIG / "clickhouse" / "users.xml").getroot()


def test_clickhouse_has_our_two_users_with_passwords_from_the_environment_and_no_other() -> None:
    declared = {user.tag: user for user in users().findall("users/*")}
    assert declared.keys() == {"default", "raceline", "grafana"}
    assert declared["default"].get("remove")
    for name in ("raceline", "grafana"):
        password = declared[name].find("password")
        assert password is not None
        assert not password.text
        assert password.get("from_env") in SERVICES["clickhouse"].environment
    assert SERVICES["worker"].environment["RACELINE_CLICKHOUSE_USER"] in declared
    assert SERVICES["grafana"].environment["CLICKHOUSE_USER"] in declared


def test_grafana_reads_only_and_may_set_the_one_setting_that_it_sends() -> None:
    profile = users().findtext("users/grafana/profile")
    assert users().findtext(f"profiles/{profile}/readonly") == "1"
    assert users().find(f"profiles/{profile}/constraints/max_execution_time/changeable_in_readonly") is not None
    assert [grant.text for grant in users().findall("users/grafana/grants/query")] == ["GRANT SELECT ON raceline.*"]


def test_both_passwords_reach_both_sides() -> None:
    clickhouse, grafana = SERVICES["clickhouse"].environment, SERVICES["grafana"].environment
    assert clickhouse["GRAFANA_CLICKHOUSE_PASSWORD"] == grafana["CLICKHOUSE_PASSWORD"]
    for name in OURS:
        assert clickhouse["RACELINE_CLICKHOUSE_PASSWORD"] == SERVICES[name].environment["RACELINE_CLICKHOUSE_PASSWORD"]


def test_clickhouse_writes_no_log_files() -> None:
    logger = ElementTree.parse(CONFIG / "clickhouse" / "config.xml").getroot().find("logger")
    assert logger is not None
    assert logger.findtext("console") == "true"
    for file in ("log", "errorlog"):
        found = logger.find(file)
        assert found is not None
        assert found.get("remove")
