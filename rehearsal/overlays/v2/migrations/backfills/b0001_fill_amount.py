"""Fill amount_cents and currency of the orders from before e0002.

The trigger of e0002 knows how a price is read, so a row only needs to be touched: it is told in one place.
"""

revision = "b0001"
down_revision = None
needs = "e0002"
table = "orders"
key = "id"
assign = "updated_at = updated_at"
todo = "amount_cents IS NULL OR currency IS NULL"
