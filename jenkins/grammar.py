"""The grammar of declarative Pipeline, applied to what Jenkins' own Groovy makes of a Jenkinsfile.

Strict: a word that is not known here is a problem, as it would be for Jenkins, and never passed over. What is written
down is the part this project may use; matrix, shared libraries and container agents are not among it.
The rules are those of https://www.jenkins.io/doc/book/pipeline/syntax/.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

Node = Mapping[str, Any]  # a statement as tree.groovy prints it
Problems = Iterator[str]

PIPELINE = {"agent", "environment", "options", "parameters", "triggers", "stages", "post", "tools"}
STAGE = {
    "agent", "environment", "options", "when", "input", "steps", "stages", "parallel", "post", "failFast", "tools",
}  # fmt: skip
POST = {
    "always", "changed", "fixed", "regression", "aborted", "failure", "success", "unstable", "unsuccessful",
    "notBuilt", "cleanup",
}  # fmt: skip
WHEN = {
    "branch", "buildingTag", "tag", "changeRequest", "changelog", "changeset", "environment", "equals", "expression",
    "triggeredBy", "not", "allOf", "anyOf", "beforeAgent", "beforeInput", "beforeOptions",
}  # fmt: skip
COMMON_OPTIONS = {"lock", "retry", "skipDefaultCheckout", "timeout", "timestamps"}
PIPELINE_OPTIONS = COMMON_OPTIONS | {
    "buildDiscarder", "disableConcurrentBuilds", "disableResume", "durabilityHint", "overrideIndexTriggers",
    "parallelsAlwaysFailFast", "preserveStashes", "quietPeriod", "skipStagesAfterUnstable",
}  # fmt: skip
WORDS = {
    "agent": {"label", "node"},
    "input": {"message", "id", "ok", "parameters", "submitter", "submitterParameter"},
    "parameters": {"booleanParam", "choice", "password", "string", "text"},
    "triggers": {"cron", "pollSCM", "upstream"},
    "tools": {"jdk", "maven", "gradle"},
}
WRAPPERS = {
    "catchError", "dir", "lock", "retry", "script", "timeout", "timestamps", "warnError", "withCredentials", "withEnv",
}  # fmt: skip
STEPS = WRAPPERS | {
    "archiveArtifacts", "checkout", "cleanWs", "deleteDir", "echo", "error", "junit", "milestone", "sh", "unstable",
}  # fmt: skip
NAMED = {  # the arguments of what is used here; a misspelled one is not ignored
    "timeout": {"time", "unit", "activity"},
    "lock": {"resource", "label", "quantity", "inversePrecedence", "skipIfLocked", "variable", "reason"},
    "sh": {"script", "label", "returnStdout", "returnStatus", "encoding"},
    "junit": {"testResults", "allowEmptyResults", "skipPublishingChecks", "keepLongStdio"},
    "archiveArtifacts": {"artifacts", "allowEmptyArchive", "fingerprint", "onlyIfSuccessful"},
    "disableConcurrentBuilds": {"abortPrevious"},
}
AGENTS = {"any", "none"}
UNITS = {"NANOSECONDS", "MICROSECONDS", "MILLISECONDS", "SECONDS", "MINUTES", "HOURS", "DAYS"}


def problems(parsed: Node) -> list[str]:
    """What Jenkins would refuse in one file, a sentence each with its line; empty when it is right."""
    if "error" in parsed:
        return [f"line {parsed['error']['line']}: {parsed['error']['message']}"]
    pipelines = [node for node in parsed["statements"] if node.get("call") == "pipeline"]
    if len(pipelines) != 1 or pipelines[0]["body"] is None:
        return [f"line 1: expected one pipeline block, found {len(pipelines)}"]
    return list(_pipeline(pipelines[0]))


def _pipeline(node: Node) -> Problems:
    yield from _directives(node, PIPELINE, "pipeline")
    yield from _required(node, ("agent", "stages"), "pipeline")
    for child in _calls(node):
        name = child["call"]
        if name == "options":
            yield from _options(child, PIPELINE_OPTIONS)
        elif name in SECTIONS:
            yield from SECTIONS[name](child)


def _stage(node: Node) -> Problems:
    if node["call"] != "stage":
        yield f"line {node['line']}: only stage is allowed in stages, found {node['call']}"
        return
    if not node["arguments"] or not isinstance(node["arguments"][0].get("constant"), str) or node["body"] is None:
        yield f"line {node['line']}: expected stage('a name') with a body"
        return
    where = f"stage '{stage_name(node)}'"
    yield from _directives(node, STAGE, where)
    work = [child["call"] for child in _calls(node) if child["call"] in ("steps", "stages", "parallel")]
    if len(work) != 1:
        yield f"line {node['line']}: {where} needs one of steps, stages, parallel, found {', '.join(work) or 'none'}"
    for child in _calls(node):
        name = child["call"]
        if name == "options":
            yield from _options(child, COMMON_OPTIONS)
        elif name in SECTIONS:
            yield from SECTIONS[name](child)


def stage_name(node: Node) -> str:
    """The name of a stage."""
    return str(node["arguments"][0]["constant"])


def _stages(node: Node) -> Problems:
    stages = list(_calls(node))
    if not stages:
        yield f"line {node['line']}: {node['call']} holds no stage"
    for statement in node["body"] or ():
        if "call" not in statement:
            yield f"line {statement['line']}: only stage is allowed in {node['call']}"
    for stage in stages:
        yield from _stage(stage)
    names = Counter(stage_name(stage) for stage in stages if stage["arguments"])
    for name, count in names.items():
        if count > 1:
            yield f"line {node['line']}: {count} stages have the name '{name}'"


def _options(node: Node, allowed: set[str]) -> Problems:
    yield from _directives(node, allowed, "options")
    for child in _calls(node):
        yield from _arguments(child)


def _words(node: Node) -> Problems:
    """A section that is a plain list of known words."""
    name = node["call"]
    if name == "agent" and node["body"] is None:
        given = [argument.get("expression") for argument in node["arguments"]]
        if len(given) != 1 or given[0] not in AGENTS:
            yield f"line {node['line']}: agent is any, none or a block"
        return
    yield from _directives(node, WORDS[name], name, repeatable=name in ("parameters", "triggers"))


def _environment(node: Node) -> Problems:
    for statement in node["body"] or ():
        value = statement.get("value", {})
        if "assign" not in statement:
            yield f"line {statement['line']}: environment takes NAME = value only"
        elif "expression" in value or "list" in value:
            yield f"line {statement['line']}: the value of {statement['assign']} is no string and no call"


def _when(node: Node) -> Problems:
    yield from _directives(node, WHEN, node["call"], repeatable=True)
    for child in _calls(node):
        if child["call"] in ("not", "allOf", "anyOf"):
            yield from _when(child)


def _post(node: Node) -> Problems:
    yield from _directives(node, POST, "post")
    for child in _calls(node):
        yield from _steps(child)


def _steps(node: Node) -> Problems:
    where = node["call"]
    if not node["body"]:
        yield f"line {node['line']}: {where} holds no step"
    for statement in node["body"] or ():
        name = statement.get("call")
        if name is None or statement["on"] is not None:
            yield f"line {statement['line']}: only steps are allowed in {where}, found {_kind(statement)}"
        elif name not in STEPS:
            yield f"line {statement['line']}: unknown step {name} in {where}"
        else:
            yield from _step(statement)


def _step(node: Node) -> Problems:
    yield from _arguments(node)
    name = node["call"]
    if name in WRAPPERS and node["body"] is None:
        yield f"line {node['line']}: {name} needs a body"
    elif name not in WRAPPERS and node["body"] is not None:
        yield f"line {node['line']}: {name} takes no body"
    elif name in WRAPPERS and name != "script":  # in script anything goes, it is not declarative
        yield from _steps(node)


def _arguments(node: Node) -> Problems:
    """Misspelled arguments, and values that would fail when the build gets there."""
    name, named = node["call"], node["named"]
    for argument in set(named) - NAMED.get(name, set(named)):
        yield f"line {node['line']}: {name} has no argument {argument}, expected {', '.join(sorted(NAMED[name]))}"
    if name == "timeout":
        unit = named.get("unit", {"constant": "MINUTES"}).get("constant")
        if unit not in UNITS:
            yield f"line {node['line']}: the unit of timeout is {unit}, expected one of {', '.join(sorted(UNITS))}"
        if "time" not in named and not node["arguments"]:
            yield f"line {node['line']}: timeout has no time"


def _directives(node: Node, allowed: set[str], where: str, *, repeatable: bool = False) -> Problems:
    """Statements that are no directive, unknown ones, and one given twice."""
    seen: set[str] = set()
    for statement in node["body"] or ():
        name = statement.get("call")
        if name is None:
            yield f"line {statement['line']}: only directives are allowed in {where}, found {_kind(statement)}"
        elif name not in allowed:
            yield f"line {statement['line']}: unknown directive {name} in {where}"
        elif name in seen and not repeatable:
            yield f"line {statement['line']}: {name} is given twice in {where}"
        seen.add(name or "")


def _required(node: Node, names: tuple[str, ...], where: str) -> Problems:
    given = {child["call"] for child in _calls(node)}
    for name in names:
        if name not in given:
            yield f"line {node['line']}: {where} has no {name}"


def _calls(node: Node) -> Iterator[Node]:
    return (statement for statement in node["body"] or () if "call" in statement)


def _kind(statement: Node) -> str:
    return str(statement.get("other") or (f"{statement['assign']} =" if "assign" in statement else statement["call"]))


SECTIONS: Mapping[str, Callable[[Node], Problems]] = {
    "agent": _words,
    "environment": _environment,
    "input": _words,
    "parallel": _stages,
    "parameters": _words,
    "post": _post,
    "stages": _stages,
    "steps": _steps,
    "tools": _words,
    "triggers": _words,
    "when": _when,
}
