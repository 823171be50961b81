-- A database as another tool left it: v1's table with rows in it, and no history of ours.
CREATE TABLE orders (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    reference text NOT NULL,
    customer text NOT NULL,
    status text NOT NULL DEFAULT 'new',
    price text NOT NULL,
    test boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO orders (reference, customer, price)
SELECT 'legacy-' || number, 'customer ' || number, number || '.50 EUR' FROM generate_series(1, 500) AS number;
