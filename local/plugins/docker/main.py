"""What the engine starts: pulumi-resource-docker of the embedded AWS."""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

    from provider.rpc.stubs import bare

    bare()

    from local.plugins.docker.plugin import Docker
    from provider.rpc.serve import main

    main(Docker)
