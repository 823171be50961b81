"""The structure of the live schema: read, written as DDL, compared."""
