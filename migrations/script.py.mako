<%!
    import json
    import textwrap

    def names(value):
        """As ruff writes it: one name, or a tuple of some."""
        if value is None or isinstance(value, str):
            return "None" if value is None else json.dumps(value, ensure_ascii=False)
        each = [json.dumps(one, ensure_ascii=False) for one in value]
        return f"({', '.join(each)}{',' if len(each) == 1 else ''})"

    def docstring(message):
        """Nothing in it ends the string, and no line is too long."""
        text = message.replace("\\", "/").replace('"', "'")
        return textwrap.fill(text, 110, break_on_hyphens=False) or "A revision."
%>\
"""${docstring(message)}"""

from alembic import op

revision = ${names(up_revision)}
down_revision = ${names(down_revision)}
branch_labels = ${names(branch_labels)}
depends_on = ${names(depends_on)}
# The tables this locks, such as ("orders",): the runner does not queue while a long transaction holds one of them.
tables = ()


def upgrade() -> None:
    """Say what it does and which lock it takes."""
    op.execute("WRITE THE STATEMENT HERE")
