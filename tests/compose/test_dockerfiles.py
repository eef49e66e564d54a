"""Both Dockerfiles as texts: pinned, not root in the end, nothing from the web but packages."""

import re
from pathlib import Path
from typing import Final

import pytest
from compose_file import ROOT, services
from dockerfile import Stage, moved, stages

RACELINE: Final = ROOT / "Dockerfile"
GRAFANA: Final = ROOT / "grafana" / "Dockerfile"

each: Final = pytest.mark.parametrize("path", [RACELINE, GRAFANA], ids=["raceline", "grafana"])


@each
def test_bases_are_pinned(path: Path) -> None:
    for stage in stages(path):
        assert re.fullmatch(r"[a-z/]+:\d+\.\d+\.\d+(-[a-z-]+)?", stage.base), stage.base


@each
def test_container_does_not_run_as_root(path: Path) -> None:
    user = stages(path)[-1].all("USER")[-1].text
    assert user not in ("root", "0")


@each
def test_nothing_is_added_from_the_web(path: Path) -> None:
    for stage in stages(path):
        assert not stage.all("ADD")
        for step in stage.steps:
            assert not re.search(r"curl|wget|https?://", step.text), step.text


def final(path: Path) -> Stage:
    return stages(path)[-1]


def test_compilers_and_pip_stay_behind() -> None:
    build, image = stages(RACELINE)
    assert build.base == image.base, "the environment is made for the interpreter that runs it"
    assert not any(word in step.text for step in image.all("RUN") for word in ("apt-get", "pip", "gcc"))
    assert [step.words[0] for step in image.all("COPY")] == ["--from=build"]


def test_python_is_one_that_the_project_supports() -> None:
    found = re.fullmatch(r"python:(\d+\.\d+)\.\d+-slim-[a-z]+", final(RACELINE).base)
    assert found
    assert f'"{found[1]}"' in (ROOT / "scripts" / "lock.py").read_text()


def test_what_is_copied_is_in_the_context_and_nothing_else() -> None:
    rules = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert rules[0] == "*"
    allowed = {rule.removeprefix("!") for rule in rules if rule.startswith("!")}
    copied = {word for step in stages(RACELINE)[0].all("COPY") for word in step.words[:-1]}
    assert copied == allowed
    assert all((ROOT / name).exists() for name in copied)


def test_data_folder_belongs_to_the_user_so_that_a_new_volume_does() -> None:
    image = final(RACELINE)
    [user] = image.all("USER")
    assert f"--owner {user.text} --group {user.text} --mode 0700 /data" in image.all("RUN")[0].text
    assert services()["collector"].values["volumes"] == ["spool:/data"]


def test_grafana_plugin_is_pinned_and_not_hidden_by_the_volume() -> None:
    [stage] = stages(GRAFANA)
    [run] = stage.all("RUN")
    assert re.search(r"plugins install grafana-clickhouse-datasource \d+\.\d+\.\d+$", run.text)
    assert '--pluginsDir "$GF_PATHS_PLUGINS"' in run.text
    [folder] = [step.text.partition("=")[2] for step in stage.all("ENV")]
    data = services()["grafana"].values["volumes"][0].partition(":")[2]
    assert not folder.startswith(data)
    assert stage.all("USER")[-1].text == services()["grafana"].values["user"].partition(":")[0]


def test_steps_can_be_done_in_other_folders_whatever_those_are_called() -> None:
    folders = {"/src": "/dist/src/one", "/dist": "/src/dist/two"}
    assert moved("PATH=/src:/usr/src pip --dir /src/a /dist/*.whl", folders) == (
        "PATH=/dist/src/one:/usr/src pip --dir /dist/src/one/a /src/dist/two/*.whl"
    )
    assert moved("cat /srcs /dist.txt ./src 'a'>/dist", folders) == "cat /srcs /dist.txt ./src 'a'>/src/dist/two"
