"""Loading a part of the AWS SDK is an optimization: the same classes, and nothing out of reach."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from infra import sdk

ROOT = Path(__file__).parents[2]
LOADED = """
import sys, warnings
import pulumi_aws as aws
from infra import sdk
sdk.narrow()
assert aws.ec2.Vpc is sys.modules["pulumi_aws.ec2.vpc"].Vpc
print(len([name for name in sys.modules if name.startswith("pulumi_aws.") and name.count(".") > 1]))
"""
REST = """
import warnings
warnings.simplefilter("ignore")
import pulumi_aws as aws
from infra import sdk
sdk.narrow()
before = aws.ec2.Vpc
assert aws.ec2.Instance.__name__ == "Instance"
assert aws.ec2.Vpc is before
try:
    aws.ec2.NoSuchThing
except AttributeError as error:
    print(error)
sdk.narrow()
"""


def run(program: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout.strip()


@pytest.mark.slow
def test_only_what_is_in_use_is_loaded() -> None:
    assert int(run(LOADED)) < 100


@pytest.mark.slow
def test_the_rest_is_still_there_and_the_classes_stay_the_same() -> None:
    assert run(REST) == "module 'pulumi_aws.ec2' has no attribute 'NoSuchThing'"


def test_the_table_names_exactly_what_the_program_uses() -> None:
    used = {
        (node.value.attr, node.attr)
        for path in (ROOT / "infra").glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Attribute)
        and ast.unparse(node.value.value) == "aws"
    }
    table = {(service, name) for service, parts in sdk.USED.items() for names in parts.values() for name in names}
    assert table == used
