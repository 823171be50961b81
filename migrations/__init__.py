"""The schema and how it moves: an Alembic environment with the branches expand and contract.

`python -m migrations` is what the gates run inside the image; see `__main__.py`.
"""
