"""A stand-in for Pulumi's Python language host, for machines where the official one cannot be had.

The official host is a separate program that comes with the Pulumi download. Where the CLI was built from its Go modules
that program is missing, and this package lies in its place, beside the ``pulumi`` executable. It implements the part of
the language protocol that programs, policy packs and Python plugins need, on the SDK of the project's own virtual
environment. It must not import anything of this project: its folder is copied into the cache that projects share.
"""
