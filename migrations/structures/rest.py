"""What the catalog holds besides what `structure` can write as DDL, and the parts its queries share."""

from __future__ import annotations

from typing import LiteralString


def _own(catalog: LiteralString, oid: LiteralString) -> LiteralString:
    """An object that an extension brought is the extension's business."""
    text: LiteralString = (
        "NOT EXISTS (SELECT FROM pg_depend AS e"
        " WHERE e.deptype = 'e' AND e.classid = '{catalog}'::regclass AND e.objid = {oid})"
    )
    return text.replace("{catalog}", catalog).replace("{oid}", oid)


# Conditions by the name that a query gives them in braces. {table}: of the schema, and not one of the runner's own.
_PARTS: tuple[tuple[LiteralString, LiteralString], ...] = (
    (
        "{table}",
        "c.relnamespace = %(schema)s::regnamespace AND c.relname <> ALL (%(own)s) AND " + _own("pg_class", "c.oid"),
    ),
    ("{function}", _own("pg_proc", "p.oid")),
    ("{type}", _own("pg_type", "t.oid")),
    ("{collation}", _own("pg_collation", "l.oid")),
    ("{operator}", _own("pg_operator", "o.oid")),
    ("{search}", _own("pg_ts_config", "s.oid")),
    (
        "{sequence}",
        (
            "format('START WITH %%s INCREMENT BY %%s MINVALUE %%s MAXVALUE %%s CACHE %%s %%s', s.seqstart,"
            " s.seqincrement, s.seqmin, s.seqmax, s.seqcache, CASE WHEN s.seqcycle THEN 'CYCLE' ELSE 'NO CYCLE' END)"
        ),
    ),
)


def filled(query: LiteralString) -> LiteralString:
    """The query with its shared parts."""
    for name, part in _PARTS:
        query = query.replace(name, part)
    return query


# In the schema, and not written as DDL: told by name, and compared by it.
OTHER = filled(
    """
SELECT -4, row_number() OVER (ORDER BY found.name), found.name, ''
FROM (
    SELECT format('policy %%I on %%I', p.polname, c.relname) AS name
    FROM pg_policy AS p JOIN pg_class AS c ON c.oid = p.polrelid WHERE {table}
    UNION ALL
    SELECT format('row security of %%I', c.relname) FROM pg_class AS c WHERE c.relrowsecurity AND {table}
    UNION ALL
    SELECT format('replica identity of %%I', c.relname) FROM pg_class AS c
    WHERE c.relkind IN ('r', 'p') AND c.relreplident NOT IN ('d', 'n') AND {table}
    UNION ALL
    SELECT format('access method %%s of %%I', m.amname, c.relname) FROM pg_class AS c JOIN pg_am AS m ON m.oid = c.relam
    WHERE c.relkind IN ('r', 'm') AND m.amname <> 'heap' AND {table}
    UNION ALL
    SELECT format('tablespace of %%I', c.relname) FROM pg_class AS c WHERE c.reltablespace <> 0 AND {table}
    UNION ALL
    SELECT format('type that %%I is made of', c.relname) FROM pg_class AS c WHERE c.reloftype <> 0 AND {table}
    UNION ALL
    SELECT format('foreign table %%I', c.relname) FROM pg_class AS c WHERE c.relkind = 'f' AND {table}
    UNION ALL
    SELECT format('rule %%I on %%I', r.rulename, c.relname) FROM pg_rewrite AS r
    JOIN pg_class AS c ON c.oid = r.ev_class WHERE r.rulename <> '_RETURN' AND {table}
    UNION ALL
    SELECT format('index %%I on %%I, which is invalid', x.relname, c.relname) FROM pg_index AS i
    JOIN pg_class AS x ON x.oid = i.indexrelid JOIN pg_class AS c ON c.oid = i.indrelid
    WHERE NOT i.indisvalid AND {table}
    UNION ALL
    SELECT format('storage of %%I.%%I', c.relname, a.attname) FROM pg_attribute AS a
    JOIN pg_class AS c ON c.oid = a.attrelid JOIN pg_type AS t ON t.oid = a.atttypid
    WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p')
      AND (a.attstorage <> t.typstorage OR a.attcompression <> '' OR a.attoptions IS NOT NULL) AND {table}
    UNION ALL
    SELECT format('default of %%I.%%I, a column that is inherited', c.relname, a.attname) FROM pg_attribute AS a
    JOIN pg_class AS c ON c.oid = a.attrelid JOIN pg_attrdef AS f ON f.adrelid = a.attrelid AND f.adnum = a.attnum
    WHERE NOT a.attislocal AND a.attgenerated = '' AND NOT EXISTS (
        SELECT FROM pg_inherits AS i JOIN pg_attribute AS b ON b.attrelid = i.inhparent AND b.attname = a.attname
        JOIN pg_attrdef AS g ON g.adrelid = b.attrelid AND g.adnum = b.attnum
        WHERE i.inhrelid = c.oid AND pg_get_expr(g.adbin, g.adrelid) = pg_get_expr(f.adbin, f.adrelid)) AND {table}
    UNION ALL
    SELECT format('aggregate %%s', p.oid::regprocedure) FROM pg_proc AS p
    WHERE p.pronamespace = %(schema)s::regnamespace AND p.prokind = 'a' AND {function}
    UNION ALL
    SELECT format('range type %%I', t.typname) FROM pg_type AS t
    WHERE t.typnamespace = %(schema)s::regnamespace AND t.typtype = 'r' AND {type}
    UNION ALL
    SELECT format('base type %%I', t.typname) FROM pg_type AS t
    WHERE t.typnamespace = %(schema)s::regnamespace AND t.typtype = 'b' AND t.typelem = 0 AND {type}
    UNION ALL
    SELECT format('collation %%I', l.collname) FROM pg_collation AS l
    WHERE l.collnamespace = %(schema)s::regnamespace AND {collation}
    UNION ALL
    SELECT format('operator %%s', o.oid::regoperator) FROM pg_operator AS o
    WHERE o.oprnamespace = %(schema)s::regnamespace AND {operator}
    UNION ALL
    SELECT format('text search configuration %%I', s.cfgname) FROM pg_ts_config AS s
    WHERE s.cfgnamespace = %(schema)s::regnamespace AND {search}
) AS found ORDER BY found.name
"""
)

# Beside the schema: not compared, but told.
OUTSIDE: LiteralString = """
SELECT format('schema %%I', nspname) FROM pg_namespace
WHERE nspname <> %(schema)s AND nspname <> 'information_schema' AND nspname !~ '^pg_'
  AND NOT EXISTS (SELECT FROM pg_depend WHERE deptype = 'e' AND classid = 'pg_namespace'::regclass
                  AND objid = pg_namespace.oid)
UNION ALL
SELECT format('event trigger %%I', evtname) FROM pg_event_trigger
UNION ALL
SELECT format('publication %%I', pubname) FROM pg_publication
ORDER BY 1
"""
