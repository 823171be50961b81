"""What `structure` asks PostgreSQL's catalog. Each query of BY_KIND answers catalog, oid, name and definition.

A catalog below zero stands for parts that no dependency names.
"""

from __future__ import annotations

from typing import LiteralString

from migrations.structures.rest import OTHER, filled

# How a definition is written must not depend on whose session reads it.
ONE_WAY_OF_WRITING: LiteralString = """
SELECT set_config('TimeZone', 'UTC', true), set_config('DateStyle', 'ISO, YMD', true),
       set_config('IntervalStyle', 'postgres', true), set_config('quote_all_identifiers', 'off', true),
       set_config('extra_float_digits', '1', true)
"""

EXTENSIONS: LiteralString = """
SELECT 'pg_extension'::regclass::oid, e.oid, quote_ident(e.extname),
       CASE WHEN e.extnamespace = %(schema)s::regnamespace THEN '' ELSE 'SCHEMA ' || e.extnamespace::regnamespace END
FROM pg_extension AS e WHERE e.extname <> 'plpgsql' ORDER BY e.extname
"""

TYPES = filled(
    """
SELECT 'pg_type'::regclass::oid, t.oid, quote_ident(t.typname), CASE t.typtype
    WHEN 'e' THEN 'TYPE|AS ENUM (' || coalesce((SELECT string_agg(quote_literal(enumlabel), ', ' ORDER BY enumsortorder)
                                           FROM pg_enum WHERE enumtypid = t.oid), '') || ')'
    WHEN 'c' THEN 'TYPE|AS (' || (
        SELECT string_agg(quote_ident(a.attname) || ' ' || format_type(a.atttypid, a.atttypmod), ', ' ORDER BY a.attnum)
        FROM pg_attribute AS a WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped) || ')'
    ELSE concat_ws(' ', 'DOMAIN|AS ' || format_type(t.typbasetype, t.typtypmod),
        (SELECT 'COLLATE ' || t.typcollation::regcollation FROM pg_type AS base
         WHERE base.oid = t.typbasetype AND base.typcollation <> t.typcollation),
        'DEFAULT ' || pg_get_expr(t.typdefaultbin, 0), CASE WHEN t.typnotnull THEN 'NOT NULL' END,
        (SELECT string_agg(format('CONSTRAINT %%I %%s', k.conname, pg_get_constraintdef(k.oid)), ' ' ORDER BY k.conname)
         FROM pg_constraint AS k WHERE k.contypid = t.oid AND k.contype = 'c'))
    END
FROM pg_type AS t
WHERE t.typnamespace = %(schema)s::regnamespace
  AND (t.typtype IN ('e', 'd') OR t.typtype = 'c' AND (SELECT relkind FROM pg_class WHERE oid = t.typrelid) = 'c')
  AND {type}
ORDER BY t.typname
"""
)

SEQUENCES = filled(
    """
SELECT 'pg_class'::regclass::oid, c.oid, quote_ident(c.relname), CASE c.relpersistence WHEN 'u' THEN 'UNLOGGED '
       ELSE '' END || 'SEQUENCE|AS ' || format_type(s.seqtypid, NULL) || ' ' || {sequence}
FROM pg_class AS c JOIN pg_sequence AS s ON s.seqrelid = c.oid
WHERE NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
                  AND d.deptype = 'i') AND {table}
ORDER BY c.relname
"""
)

SEQUENCE_OWNERS = filled(
    """
SELECT -2, c.oid, quote_ident(c.relname), format('%%I.%%I', t.relname, a.attname)
FROM pg_class AS c JOIN pg_depend AS d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'a'
     AND d.refclassid = 'pg_class'::regclass
JOIN pg_attribute AS a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
JOIN pg_class AS t ON t.oid = a.attrelid
WHERE c.relkind = 'S' AND {table}
ORDER BY c.relname
"""
)

FUNCTIONS = filled(
    """
SELECT 'pg_proc'::regclass::oid, p.oid, p.oid::regprocedure::text, pg_get_functiondef(p.oid)
FROM pg_proc AS p WHERE p.pronamespace = %(schema)s::regnamespace AND p.prokind IN ('f', 'p', 'w') AND {function}
ORDER BY p.oid::regprocedure::text
"""
)

# The text before | is what is made, after it what follows the columns.
TABLES = filled(
    """
SELECT 'pg_class'::regclass::oid, c.oid, quote_ident(c.relname), concat_ws(' ',
    CASE c.relpersistence WHEN 'u' THEN 'UNLOGGED ' ELSE '' END || 'TABLE|',
    (SELECT CASE WHEN c.relispartition THEN format('PARTITION OF %%s %%s', string_agg(i.inhparent::regclass::text, ''),
                                                  pg_get_expr(c.relpartbound, c.oid))
            ELSE 'INHERITS (' || string_agg(i.inhparent::regclass::text, ', ' ORDER BY i.inhseqno) || ')' END
     FROM pg_inherits AS i WHERE i.inhrelid = c.oid),
    CASE c.relkind WHEN 'p' THEN 'PARTITION BY ' || pg_get_partkeydef(c.oid) END,
    'WITH (' || (SELECT string_agg(o, ', ' ORDER BY o) FROM unnest(c.reloptions) AS o) || ')')
FROM pg_class AS c WHERE c.relkind IN ('r', 'p') AND {table}
ORDER BY c.relname
"""
)

# NOT NULL belongs to its column here, whatever name PostgreSQL 18 gave the constraint.
COLUMNS = filled(
    """
SELECT -1, a.attrelid::bigint * 10000 + a.attnum, quote_ident(c.relname) || '.' || quote_ident(a.attname),
    concat_ws(' ', format_type(a.atttypid, a.atttypmod),
    CASE WHEN a.attcollation <> t.typcollation THEN 'COLLATE ' || a.attcollation::regcollation END,
    CASE WHEN a.attnotnull AND NOT EXISTS (
        SELECT FROM pg_constraint AS k WHERE k.conrelid = a.attrelid AND k.contype = 'n' AND NOT k.convalidated
        AND a.attnum = ANY (k.conkey)) THEN 'NOT NULL' END,
    CASE a.attgenerated WHEN 's' THEN format('GENERATED ALWAYS AS (%%s) STORED', pg_get_expr(f.adbin, f.adrelid))
                        WHEN 'v' THEN format('GENERATED ALWAYS AS (%%s) VIRTUAL', pg_get_expr(f.adbin, f.adrelid))
                        ELSE 'DEFAULT ' || pg_get_expr(f.adbin, f.adrelid) END,
    (SELECT format('GENERATED %%s AS IDENTITY (SEQUENCE NAME %%I %%s)',
                   CASE a.attidentity WHEN 'a' THEN 'ALWAYS' ELSE 'BY DEFAULT' END, q.relname, {sequence})
     FROM pg_depend AS d JOIN pg_sequence AS s ON s.seqrelid = d.objid JOIN pg_class AS q ON q.oid = d.objid
     WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = a.attrelid
       AND d.refobjsubid = a.attnum AND d.deptype = 'i' AND a.attidentity <> ''))
FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid JOIN pg_type AS t ON t.oid = a.atttypid
LEFT JOIN pg_attrdef AS f ON f.adrelid = a.attrelid AND f.adnum = a.attnum
WHERE c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped AND a.attislocal AND {table}
ORDER BY c.relname, a.attnum
"""
)

# Keys before what refers to them.
CONSTRAINTS = filled(
    """
SELECT 'pg_constraint'::regclass::oid, k.oid, quote_ident(c.relname) || '.' || quote_ident(k.conname),
       pg_get_constraintdef(k.oid)
FROM pg_constraint AS k JOIN pg_class AS c ON c.oid = k.conrelid
WHERE k.conparentid = 0 AND k.conislocal
  AND (k.contype IN ('p', 'u', 'x', 'c', 'f') OR k.contype = 'n' AND NOT k.convalidated) AND {table}
ORDER BY position(k.contype IN 'puxncf'), c.relname, k.conname
"""
)

# An index that a constraint or a partitioned table's index made is made with it again.
INDEXES = filled(
    """
SELECT 'pg_class'::regclass::oid, x.oid, quote_ident(c.relname) || '.' || quote_ident(x.relname),
       replace(pg_get_indexdef(x.oid, 0, true), ' ON ONLY ', ' ON ')
FROM pg_index AS i JOIN pg_class AS x ON x.oid = i.indexrelid JOIN pg_class AS c ON c.oid = i.indrelid
WHERE NOT x.relispartition AND i.indisvalid
  AND NOT EXISTS (SELECT FROM pg_constraint AS k WHERE k.conindid = x.oid AND k.contype IN ('p', 'u', 'x')) AND {table}
ORDER BY c.relname, x.relname
"""
)

STATISTICS = filled(
    """
SELECT 'pg_statistic_ext'::regclass::oid, s.oid, quote_ident(c.relname) || '.' || quote_ident(s.stxname),
       pg_get_statisticsobjdef(s.oid)
FROM pg_statistic_ext AS s JOIN pg_class AS c ON c.oid = s.stxrelid
WHERE s.stxnamespace = %(schema)s::regnamespace AND {table}
ORDER BY c.relname, s.stxname
"""
)

TRIGGERS = filled(
    """
SELECT 'pg_trigger'::regclass::oid, t.oid, quote_ident(c.relname) || '.' || quote_ident(t.tgname),
       pg_get_triggerdef(t.oid, true)
FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = t.tgrelid
WHERE NOT t.tgisinternal AND t.tgparentid = 0 AND {table}
ORDER BY c.relname, t.tgname
"""
)

TRIGGER_STATES = filled(
    """
SELECT -3, t.oid, quote_ident(c.relname) || '.' || quote_ident(t.tgname),
       CASE t.tgenabled WHEN 'D' THEN 'DISABLE' WHEN 'R' THEN 'ENABLE REPLICA' ELSE 'ENABLE ALWAYS' END
FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = t.tgrelid
WHERE NOT t.tgisinternal AND t.tgparentid = 0 AND t.tgenabled <> 'O' AND {table}
ORDER BY c.relname, t.tgname
"""
)

VIEWS = filled(
    """
SELECT 'pg_class'::regclass::oid, c.oid, quote_ident(c.relname),
    CASE c.relkind WHEN 'm' THEN 'MATERIALIZED ' ELSE '' END || 'VIEW|'
    || coalesce('WITH (' || (SELECT string_agg(o, ', ' ORDER BY o) FROM unnest(c.reloptions) AS o) || ') ', '')
    || 'AS ' || rtrim(pg_get_viewdef(c.oid), ';')
FROM pg_class AS c WHERE c.relkind IN ('v', 'm') AND {table}
ORDER BY c.relname
"""
)

BY_KIND: tuple[tuple[str, LiteralString], ...] = (
    ("extension", EXTENSIONS),
    ("type", TYPES),
    ("sequence", SEQUENCES),
    ("function", FUNCTIONS),
    ("table", TABLES),
    ("column", COLUMNS),
    ("sequence owner", SEQUENCE_OWNERS),
    ("constraint", CONSTRAINTS),
    ("view", VIEWS),
    ("index", INDEXES),
    ("statistics", STATISTICS),
    ("trigger", TRIGGERS),
    ("trigger state", TRIGGER_STATES),
    ("other", OTHER),
)
ALWAYS_QUALIFIED = frozenset({"function", "statistics"})

# Parts with an address of their own, and the item they belong to.
PARTS: LiteralString = """
SELECT 'pg_type'::regclass::oid, t.oid, 'pg_class'::regclass::oid, t.typrelid FROM pg_type AS t
JOIN pg_class AS c ON c.oid = t.typrelid WHERE c.relkind <> 'c'
UNION ALL
SELECT 'pg_type'::regclass::oid, t.typarray, CASE WHEN c.relkind <> 'c' THEN 'pg_class'::regclass::oid
       ELSE 'pg_type'::regclass::oid END, CASE WHEN c.relkind <> 'c' THEN c.oid ELSE t.oid END
FROM pg_type AS t LEFT JOIN pg_class AS c ON c.oid = t.typrelid WHERE t.typarray <> 0
UNION ALL
SELECT 'pg_class'::regclass::oid, t.typrelid, 'pg_type'::regclass::oid, t.oid FROM pg_type AS t
JOIN pg_class AS c ON c.oid = t.typrelid WHERE c.relkind = 'c'
UNION ALL
SELECT 'pg_attrdef'::regclass::oid, oid, 'pg_class'::regclass::oid, adrelid FROM pg_attrdef
UNION ALL
SELECT 'pg_rewrite'::regclass::oid, oid, 'pg_class'::regclass::oid, ev_class FROM pg_rewrite WHERE rulename = '_RETURN'
UNION ALL
SELECT 'pg_class'::regclass::oid, conindid, 'pg_constraint'::regclass::oid, oid FROM pg_constraint
WHERE contype IN ('p', 'u', 'x')
UNION ALL
SELECT 'pg_constraint'::regclass::oid, oid, 'pg_type'::regclass::oid, contypid FROM pg_constraint WHERE contypid <> 0
"""

DEPENDENCIES: LiteralString = """
SELECT DISTINCT classid, objid, refclassid, refobjid FROM pg_depend WHERE deptype IN ('n', 'a', 'i')
UNION
SELECT 'pg_class'::regclass::oid, inhrelid, 'pg_class'::regclass::oid, inhparent FROM pg_inherits
"""

RELATIONS = filled(
    # The sequence of an identity column of the runner's own tables is as little the service's as they are.
    """
SELECT quote_ident(c.relname) FROM pg_class AS c
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND NOT c.relispartition AND {table}
  AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = c.oid
                  AND deptype = 'i' AND refobjid IN (
                      SELECT oid FROM pg_class WHERE relname = ANY (%(own)s) AND relnamespace = c.relnamespace))
ORDER BY c.relkind <> 'r', c.relname
"""
)
