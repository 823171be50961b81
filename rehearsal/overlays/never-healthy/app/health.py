"""A version that starts, answers, and never becomes ready, as one with a wrong dependency does."""

from __future__ import annotations

from app.store import Pool
from migrations.tree import Tree


async def reason_not_ready(pool: Pool, tree: Tree) -> str | None:
    """Always the same reason."""
    return f"price service: no answer (pool of {pool.max_size}, {len(tree.expand)} expand revisions)"
