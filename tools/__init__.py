"""The toolchain: the virtual environment, the Pulumi CLI, and what ``make`` runs with them.

Only the standard library is imported here, as this code runs before anything is installed.
"""
