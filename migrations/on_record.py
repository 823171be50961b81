"""What the facts on record say of the revisions. A preview asks without a database, and without a driver for one."""

from __future__ import annotations

from collections.abc import Mapping

from migrations.revision_file import FOLDERS
from migrations.tree import PHASES, Tree

LEFT_OUT = "revisionsLeftOut"  # how many older ones there are, where not all are told
CHECKSUMS = "checksums"  # of the files as they were applied, by revision; of as many of the newest as there is room for
MEND_EDITED = "put the file back as it was, and bring the change as a new revision"


def revisions(facts: Mapping[str, object], tree: Tree) -> list[str]:
    """The applied revisions by these facts. Where older ones were left out, those of the tree are known all the same:
    whatever comes before an applied one in its phase.
    """
    named = facts.get("revisions")
    told = [str(name) for name in named] if isinstance(named, list | tuple) else []
    if not facts.get(LEFT_OUT):
        return told
    earlier: list[str] = []
    for phase in PHASES:
        names = [revision.revision for revision in tree.phase(phase)]
        newest = max((at for at, name in enumerate(names) if name in told), default=-1)
        earlier += [name for name in names[:newest] if name not in told]
    return [*earlier, *told]


def edited(facts: Mapping[str, object], tree: Tree) -> list[str]:
    """Applied revisions whose file is not the one on record, a line each. One without a checksum on record is not
    known; the gate in the image has the whole history.
    """
    told = facts.get(CHECKSUMS)
    applied = told if isinstance(told, Mapping) else {}
    return [
        f"{one.phase} {one.revision} ({FOLDERS[one.phase]}/{one.file.name}) was edited after it was applied: checksum "
        f"{one.checksum} here, {applied[one.revision]} applied; {MEND_EDITED}"
        for one in tree.all()
        if applied.get(one.revision, one.checksum) != one.checksum
    ]
