"""Entry of the copy in the cache: ``python FOLDER [flags] ENGINE_ADDRESS``."""

import importlib
import sys
from pathlib import Path

# A folder given to the interpreter becomes the first import path, and a module of ours would then hide one of the same
# name in the program. So this folder is imported as a package, and leaves nothing behind on the path.
folder = Path(__file__).resolve().parent
sys.path[0] = str(folder.parent)
server = importlib.import_module(f"{folder.name}.server")
del sys.path[0]

server.main(sys.argv[1:])
