"""Add amount_cents and currency beside price, and keep both in step while two versions write.

Adding columns without a default and a trigger are changes of the catalog only: each holds its lock for a moment.
"""

from alembic import op

revision = "e0002"
down_revision = "e0001"
branch_labels = None
depends_on = None
tables = ("orders",)

# A version that knows only price writes only price, a newer one only the two columns. Whoever wrote, the other shape
# follows in the same statement, so each version reads what the other wrote. The last branch of the update fills a row
# from before the columns.
_FUNCTION = """
CREATE FUNCTION orders_keep_amount_in_step() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    newer boolean;
BEGIN
    IF TG_OP = 'INSERT' THEN
        newer := NEW.amount_cents IS NOT NULL;
    ELSE
        newer := (NEW.amount_cents, NEW.currency) IS DISTINCT FROM (OLD.amount_cents, OLD.currency);
    END IF;
    IF newer THEN
        NEW.price := (NEW.amount_cents / 100.0)::numeric(20, 2)::text || ' ' || NEW.currency;
    ELSIF NEW.amount_cents IS NULL OR NEW.price IS DISTINCT FROM OLD.price THEN
        NEW.amount_cents := (split_part(NEW.price, ' ', 1)::numeric * 100)::bigint;
        NEW.currency := split_part(NEW.price, ' ', 2);
    END IF;
    RETURN NEW;
END
$$
"""


def upgrade() -> None:
    """Takes ACCESS EXCLUSIVE on orders for the columns and SHARE ROW EXCLUSIVE for the trigger, both at once free."""
    op.execute("ALTER TABLE orders ADD COLUMN amount_cents bigint, ADD COLUMN currency text")
    op.execute(_FUNCTION)
    op.execute(
        "CREATE TRIGGER orders_keep_amount_in_step BEFORE INSERT OR UPDATE ON orders"
        " FOR EACH ROW EXECUTE FUNCTION orders_keep_amount_in_step()"
    )
