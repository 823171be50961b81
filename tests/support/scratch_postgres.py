"""A PostgreSQL of the tests' own: the one that previews measure on."""

from preview.scratch import ScratchServer, scratch_server

__all__ = ["ScratchServer", "scratch_server"]
