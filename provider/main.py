"""The plugin process: `pulumi-resource-bluegreen` starts it, the engine talks to it."""

from __future__ import annotations

import sys
from pathlib import Path

# Run as a file, Python would look for modules beside it: the package lies one level up.
sys.path[0] = str(Path(__file__).resolve().parent.parent)


def start() -> None:
    """Serve the plugin until the engine ends. The stubs come first: whatever imports them must not load the SDK."""
    from provider.rpc.stubs import bare

    bare()
    from provider.plugin import BlueGreen
    from provider.rpc.serve import main

    main(BlueGreen)


if __name__ == "__main__":
    start()
