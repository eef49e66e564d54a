"""Grafana's provisioning, as far as it can be told without Grafana."""

import re
from typing import Any, Final

import yaml
from compose_file import ROOT, services

FOLDER: Final = ROOT / "grafana" / "provisioning"
SOURCE: Final = (FOLDER / "datasources" / "raceline.yaml").read_text()
# What the plugin's backend reads, and nothing that older releases of it did (such as `database`).
JSON_DATA: Final = {
    "host",
    "port",
    "protocol",
    "secure",
    "path",
    "username",
    "defaultDatabase",
    "defaultTable",
    "dialTimeout",
    "queryTimeout",
    "connMaxLifetime",
    "maxIdleConns",
    "maxOpenConns",
    "validateSql",
}


def data_source() -> dict[str, Any]:
    [found] = yaml.safe_load(SOURCE)["datasources"]
    assert isinstance(found, dict)
    return found


def test_only_what_exists_is_provisioned() -> None:
    assert {path.name for path in FOLDER.iterdir()} == {"datasources"}


def test_data_source_has_a_fixed_id_and_cannot_be_edited_away() -> None:
    source = data_source()
    assert source["uid"] == "raceline-clickhouse"
    assert source["type"] == "grafana-clickhouse-datasource"
    assert source["editable"] is False


def test_data_source_has_only_keys_that_the_plugin_reads() -> None:
    source = data_source()
    assert source["jsonData"].keys() <= JSON_DATA
    assert source["secureJsonData"].keys() == {"password"}
    assert "password" not in source["jsonData"]


def test_data_source_asks_for_nothing_that_its_user_may_not_set() -> None:
    """The user may change one setting, the time limit of a query, up to a maximum."""
    source = data_source()
    assert "customSettings" not in source["jsonData"]
    limit = re.search(r"<max>(\d+)</max>", (ROOT / "compose" / "clickhouse" / "users.xml").read_text())
    assert limit
    assert int(source["jsonData"]["queryTimeout"]) <= int(limit[1])


def test_every_dollar_sign_is_a_variable_of_the_service() -> None:
    values = re.sub(r"#.*", "", SOURCE)
    used = re.findall(r"\$(\w+)", values)
    assert values.count("$") == len(used)
    assert set(used) <= services()["grafana"].environment.keys()
    secrets = [name for name in used if "PASSWORD" in name]
    assert [data_source()["secureJsonData"]["password"]] == [f"${name}" for name in secrets]


def test_generated_passwords_survive_the_variables() -> None:
    """Grafana would take a dollar sign in a value for a variable; ours are hexadecimal."""
    assert "od -An -N24 -tx1" in (ROOT / "scripts" / "env.sh").read_text()


def test_nothing_is_fetched_from_the_network_at_the_start() -> None:
    environment = services()["grafana"].environment
    assert environment["GF_PLUGINS_PREINSTALL_DISABLED"] == "true"
    assert not {name for name in environment if "INSTALL_PLUGINS" in name or "PREINSTALL_SYNC" in name}
