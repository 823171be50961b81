"""The figures of the schema's moves; `python -m rehearsal.bench_schema`. Each part is a module of its own."""
