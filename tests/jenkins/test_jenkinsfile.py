"""The Jenkinsfile, parsed by the Groovy that Jenkins embeds: strict grammar first, then what it promises."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NoReturn

import pytest

from jenkins import grammar
from tools import groovy
from tools.project import ROOT

WAITING_FOR_THE_LOCK = 60  # minutes: as long as the release of another build may take
STAGE = "stage('a') { steps { sh 'x' } }"
RIGHT = {
    "smallest": f"pipeline {{ agent any\n stages {{ {STAGE} }} }}",
    "agent none": f"pipeline {{ agent none\n stages {{ {STAGE} }} }}",
    "wrapped steps": (
        "pipeline { agent any\n stages { stage('a') { steps { lock('x') { timeout(5) {"
        " sh script: 'x', label: 'y' } } } } } }"
    ),
    "nested and parallel": (
        "pipeline { agent any\n stages { stage('a') { failFast true\n parallel { stage('b') { steps { sh 'x' } }\n"
        f" stage('c') {{ stages {{ {STAGE} }} }} }} }} }} }}"
    ),
    "all conditions": (
        "pipeline { agent any\n stages { stage('a') { when { anyOf { branch 'x'; not { changeRequest() } } }\n"
        " steps { script { if (x) { sh 'x' } } } } } }"
    ),
}
WRONG = {
    "unknown directive": (
        "pipeline { agent any\n stages { stage('a') { step { sh 'x' } } } }",
        "line 2: unknown directive step in stage 'a'",
    ),
    "no agent": (f"pipeline {{ stages {{ {STAGE} }} }}", "line 1: pipeline has no agent"),
    "no stages": ("pipeline { agent any }", "line 1: pipeline has no stages"),
    "empty stages": ("pipeline { agent any\n stages { } }", "line 2: stages holds no stage"),
    "agent that is none": (f"pipeline {{ agent anywhere\n stages {{ {STAGE} }} }}", "agent is any, none or a block"),
    "logic in steps": (
        "pipeline { agent any\n stages { stage('a') { steps { if (x) { sh 'x' } } } } }",
        "only steps are allowed in steps, found IfStatement",
    ),
    "unknown step": (
        "pipeline { agent any\n stages { stage('a') { steps { shh 'x' } } } }",
        "line 2: unknown step shh in steps",
    ),
    "unknown step, wrapped": (
        "pipeline { agent any\n stages { stage('a') { steps { lock('x') { timeout(5) { shh 'x' } } } } } }",
        "unknown step shh in timeout",
    ),
    "unknown step after the build": (
        f"pipeline {{ agent any\n stages {{ {STAGE} }}\n post {{ always {{ mail 'x' }} }} }}",
        "line 3: unknown step mail in always",
    ),
    "unknown condition after the build": (
        f"pipeline {{ agent any\n stages {{ {STAGE} }}\n post {{ sometimes {{ sh 'x' }} }} }}",
        "unknown directive sometimes in post",
    ),
    "unknown option": (
        f"pipeline {{ agent any\n options {{ lokc('x') }}\n stages {{ {STAGE} }} }}",
        "line 2: unknown directive lokc in options",
    ),
    "option of a pipeline on a stage": (
        "pipeline { agent any\n stages { stage('a') { options { disableConcurrentBuilds() }\n steps { sh 'x' } } } }",
        "unknown directive disableConcurrentBuilds in options",
    ),
    "unknown condition": (
        "pipeline { agent any\n stages { stage('a') { when { not { brnach 'x' } }\n steps { sh 'x' } } } }",
        "unknown directive brnach in not",
    ),
    "steps and parallel": (
        f"pipeline {{ agent any\n stages {{ stage('a') {{ steps {{ sh 'x' }}\n parallel {{ {STAGE} }} }} }} }}",
        "stage 'a' needs one of steps, stages, parallel, found steps, parallel",
    ),
    "nothing to do": (
        "pipeline { agent any\n stages { stage('a') { } } }",
        "stage 'a' needs one of steps, stages, parallel, found none",
    ),
    "a name twice": (f"pipeline {{ agent any\n stages {{ {STAGE}\n {STAGE} }} }}", "2 stages have the name 'a'"),
    "a directive twice": (f"pipeline {{ agent any\n agent any\n stages {{ {STAGE} }} }}", "agent is given twice"),
    "wrapper without a body": (
        "pipeline { agent any\n stages { stage('a') { steps { lock('x') } } } }",
        "line 2: lock needs a body",
    ),
    "misspelled argument": (
        "pipeline { agent any\n options { timeout(tiem: 5) }\n stages { stage('a') { steps { sh 'x' } } } }",
        "timeout has no argument tiem",
    ),
    "unknown unit": (
        f"pipeline {{ agent any\n options {{ timeout(time: 5, unit: 'MINUTE') }}\n stages {{ {STAGE} }} }}",
        "the unit of timeout is MINUTE",
    ),
    "code in environment": (
        f"pipeline {{ agent any\n environment {{ sh 'x' }}\n stages {{ {STAGE} }} }}",
        "environment takes NAME = value only",
    ),
    "scripted": ("node { sh 'x' }", "line 1: expected one pipeline block, found 0"),
    "open string": ("pipeline { agent any\n stages { stage('a') { steps { sh 'x }", "line 2: expecting ''', found"),
    "open brace": ("pipeline { agent any\n stages { stage('a') { steps { sh 'x' }\n", "line 3: "),
}


def without_java(reason: str, environment: Mapping[str, str]) -> NoReturn:
    """Not everybody has Java; but a build server that lacks it would let a broken Jenkinsfile through."""
    if environment.get("CI"):
        pytest.fail(f"{reason}: a build server needs a Java 17 runtime and Maven")
    pytest.skip(reason)


@pytest.mark.parametrize(
    ("environment", "outcome"), [({"CI": "true"}, "Failed"), ({"CI": ""}, "Skipped"), ({}, "Skipped")]
)
def test_without_java_a_build_server_fails_and_a_person_goes_on(environment, outcome):
    with pytest.raises(BaseException, match="no java") as caught:
        without_java("no java", environment)
    assert caught.type.__name__ == outcome


@pytest.fixture(scope="session")
def parsed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, grammar.Node]:
    """All files of this module, by name, parsed in one run of Java."""
    missing = groovy.missing_programs()
    if missing:
        without_java(f"the Jenkinsfile can't be parsed: no {' and no '.join(missing)} on PATH", os.environ)
    folder = tmp_path_factory.mktemp("jenkins")
    files = {"Jenkinsfile": ROOT / "Jenkinsfile"}
    for name, text in {**RIGHT, **{name: text for name, (text, _) in WRONG.items()}}.items():
        files[name] = folder / name.replace(" ", "-")
        files[name].write_text(text)
    answer = groovy.run(ROOT / "jenkins" / "tree.groovy", list(files.values()))
    trees = json.loads(answer)
    return {name: trees[str(path)] for name, path in files.items()}


@pytest.mark.parametrize("name", RIGHT)
def test_what_is_right_passes(parsed, name):
    assert grammar.problems(parsed[name]) == []


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_refused_with_its_reason(parsed, name):
    found = grammar.problems(parsed[name])
    assert any(WRONG[name][1] in problem for problem in found), found


def test_the_jenkinsfile_is_right(parsed):
    assert grammar.problems(parsed["Jenkinsfile"]) == []


# What this project's own Jenkinsfile promises.


@pytest.fixture
def pipeline(parsed) -> grammar.Node:
    (found,) = parsed["Jenkinsfile"]["statements"]
    return found


def child(node: grammar.Node, name: str) -> grammar.Node:
    return next(statement for statement in node["body"] if statement.get("call") == name)


def stage(pipeline: grammar.Node, name: str) -> grammar.Node:
    return next(found for found in child(pipeline, "stages")["body"] if grammar.stage_name(found) == name)


def walk(node: grammar.Node, above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], grammar.Node]]:
    """Every call under a node, with the names of what it lies in."""
    for statement in node["body"] or ():
        if "call" in statement:
            yield above, statement
            yield from walk(statement, (*above, statement["call"]))


def scripts(node: grammar.Node) -> list[dict]:
    return [(step["arguments"] or [step["named"].get("script")])[0] for _, step in walk(node) if step["call"] == "sh"]


def credentials(node: grammar.Node) -> list[str]:
    return [
        binding["named"]["credentialsId"]["constant"]
        for _, step in walk(node)
        if step["call"] == "withCredentials"
        for binding in step["arguments"][0]["list"]
    ]


def test_the_shell_expands_variables_and_not_groovy(pipeline):
    """With Groovy's interpolation a secret or a branch name would become part of the script's text."""
    assert scripts(pipeline)
    assert [script for script in scripts(pipeline) if "constant" not in script] == []


def test_it_holds_no_groovy_logic(pipeline):
    assert [step for _, step in walk(pipeline) if step["call"] == "script"] == []


def test_every_command_is_one_that_runs_without_jenkins_too(pipeline):
    targets = (ROOT / "Makefile").read_text()
    for script in scripts(pipeline):
        words = script["constant"].removeprefix("exec ").split()
        if words[0] == "make":
            assert f"\n{words[1]}:" in targets
        else:
            assert (ROOT / words[0]).stat().st_mode & 0o111


def test_checks_run_on_every_branch(pipeline):
    for name in ("Check", "Test"):
        assert "when" not in {statement.get("call") for statement in stage(pipeline, name)["body"]}


def test_a_change_request_is_previewed_and_only_that(pipeline):
    when = child(stage(pipeline, "Preview"), "when")
    assert [(node["call"], node["named"]["target"]["constant"]) for node in when["body"]] == [("changeRequest", "main")]
    assert credentials(stage(pipeline, "Preview"))[0] == "bluegreen-preview"


def test_what_a_preview_says_is_kept_and_handed_on_also_when_it_is_red(pipeline):
    post = child(stage(pipeline, "Preview"), "post")
    always = child(post, "always")
    assert [step["call"] for step in always["body"]] == ["archiveArtifacts", "sh"]
    assert always["body"][0]["named"]["artifacts"] == {"constant": ".local/preview/*"}
    assert scripts(post) == [{"constant": 'jenkins/comment.sh "$STACK"'}]


def test_only_main_is_released_and_under_a_lock_per_stack(pipeline):
    up = stage(pipeline, "Up")
    assert [(node["call"], node["arguments"][0]["constant"]) for node in child(up, "when")["body"]] == [
        ("branch", "main")
    ]
    (above,) = [above for above, step in walk(up) if step["call"] == "sh"]
    assert above == ("steps", "lock", "timeout", "withCredentials")
    lock = child(child(up, "steps"), "lock")
    assert lock["named"]["resource"] == {"template": "bluegreen-$STACK"}


def test_the_release_is_told_of_an_abort_once(pipeline):
    (script,) = scripts(stage(pipeline, "Up"))
    assert script["constant"] == 'exec jenkins/up.sh "$STACK"'
    last = (ROOT / "jenkins" / "up.sh").read_text().splitlines()[-1]
    assert last.startswith("exec python3 jenkins/stop_once.py ")


def test_credentials_are_given_to_the_stage_that_needs_them(pipeline):
    assert credentials(stage(pipeline, "Check")) == credentials(stage(pipeline, "Test")) == []
    assert "bluegreen-deploy" in credentials(stage(pipeline, "Up"))
    assert "bluegreen-deploy" not in credentials(stage(pipeline, "Preview"))
    environment = child(pipeline, "environment")
    assert [value["assign"] for value in environment["body"] if value["value"].get("call") == "credentials"] == []


def test_a_release_is_never_aborted_by_the_next_build(pipeline):
    concurrent = child(child(pipeline, "options"), "disableConcurrentBuilds")
    assert concurrent["named"] == {}


def test_each_stage_has_a_timeout_and_all_fit_into_that_of_the_pipeline_with_time_for_the_lock(pipeline):
    minutes = {(): 0}
    for above, step in walk(pipeline):
        if step["call"] == "timeout":
            assert step["named"]["unit"] == {"constant": "MINUTES"}
            minutes[above, step["line"]] = step["named"]["time"]["constant"]
    (whole,) = [time for key, time in minutes.items() if key and key[0] == ("options",)]
    inner = [time for key, time in minutes.items() if key and key[0] != ("options",)]
    assert len(inner) == len(child(pipeline, "stages")["body"])
    assert sum(inner) + WAITING_FOR_THE_LOCK <= whole


def test_a_person_is_told_what_to_do(pipeline):
    said = {above[-1] for above, step in walk(stage(pipeline, "Up")) if step["call"] == "echo"}
    assert said == {"failure", "aborted"}
    assert [above for above, step in walk(child(pipeline, "post")) if step["call"] == "echo"] == [("unsuccessful",)]


def test_nothing_waits_for_a_person(pipeline):
    assert [step for _, step in walk(pipeline) if step["call"] == "input"] == []


def test_the_commands_are_valid_shell():
    found = sorted((ROOT / "jenkins").glob("*.sh"))
    assert "up.sh" in [script.name for script in found]
    for script in found:
        subprocess.run(["sh", "-n", str(script)], check=True)


def test_the_jar_is_refused_when_it_is_another_one(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = tmp_path / "bluegreen" / "groovy" / groovy.VERSION

    def copy(_what: str, command: list[str]) -> list[str]:
        target = Path(command[-1].removeprefix("-DoutputDirectory="))
        target.mkdir(parents=True)
        (target / f"groovy-all-{groovy.VERSION}.jar").write_text("another one")
        return []

    monkeypatch.setattr(groovy.console, "run", copy)
    monkeypatch.setattr(groovy, "missing_programs", list)
    with pytest.raises(groovy.ToolError, match="expected de65260c"):
        groovy.jar()
    assert list(folder.glob("*.jar")) == []
