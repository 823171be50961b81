"""What a Pulumi run imports has its bytecode after the set-up, also where processes are told not to write any."""

import os
import subprocess
import sys

import pytest

from infra.sdk import USED
from tools.venv import bytecode_script


@pytest.mark.slow
def test_every_module_of_the_sdk_that_is_in_use_is_compiled(tmp_path):
    """`pulumi_aws.ec2` can be imported without loading anything of it: that left all of it to each run."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = str(tmp_path)
    subprocess.run([sys.executable, "-W", "ignore", "-c", bytecode_script()], cwd=tmp_path, env=environment, check=True)
    written = {"/".join(one.parts[-3:]).split(".")[0] for one in tmp_path.rglob("pulumi_aws/*/*.pyc")}
    used = {f"pulumi_aws/{service}/{module}" for service, modules in USED.items() for module in modules}
    assert used <= written
    assert {"pulumi_aws/ec2/_inputs", "pulumi_aws/ec2/outputs"} <= written
