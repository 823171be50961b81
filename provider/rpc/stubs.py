"""Make Pulumi's generated protocol stubs importable without running the SDK.

`import pulumi` costs more than a plugin's whole start. The stubs only need their packages to exist, so bare package
objects are enough. Call `bare()` first thing in a plugin's main, before anything that imports the stubs. Never call
it where the real SDK may be wanted later: a program, a test process.
"""

import importlib.util
import sys
import types
from pathlib import Path

PACKAGES = ("pulumi", "pulumi.runtime", "pulumi.runtime.proto")


def bare() -> None:
    """Put bare packages in place of the SDK's, so that `pulumi.runtime.proto.*` loads alone.

    Does nothing where the SDK is loaded already. Raises ModuleNotFoundError where it is not installed.
    """
    if "pulumi" in sys.modules:
        return
    spec = importlib.util.find_spec("pulumi")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(
            f"the Pulumi SDK is not installed for {sys.executable}; install the project's requirements.txt there"
        )
    root = Path(spec.origin).parent.parent
    for name in PACKAGES:
        package = types.ModuleType(name)
        package.__path__ = [str(root.joinpath(*name.split(".")))]
        sys.modules[name] = package
