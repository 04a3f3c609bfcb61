-- The smallest ef_search that was measured to reach a recall, for each kind of search of a table.
CREATE TABLE vectorops.search_settings (
    table_name text NOT NULL,
    metric text NOT NULL,
    index_key text NOT NULL CHECK (index_key IN ('column', 'halfvec', 'bit')),
    filter text NOT NULL DEFAULT '',
    filter_shape text NOT NULL DEFAULT '',
    selectivity double precision NOT NULL CHECK (selectivity BETWEEN 0 AND 1),
    k int NOT NULL CHECK (k > 0),
    ef_search int NOT NULL CHECK (ef_search BETWEEN 1 AND 1000),
    recall double precision NOT NULL CHECK (recall BETWEEN 0 AND 1),
    target_recall double precision NOT NULL CHECK (target_recall BETWEEN 0 AND 1),
    queries int NOT NULL CHECK (queries > 0),
    table_rows bigint NOT NULL CHECK (table_rows >= 0),
    measured_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    measured_by text NOT NULL DEFAULT current_user,
    PRIMARY KEY (table_name, metric, index_key, filter)
);

COMMENT ON COLUMN vectorops.search_settings.table_name IS 'With its schema, unquoted: public.item_emb';
COMMENT ON COLUMN vectorops.search_settings.index_key IS 'What the index holds of the vectors';
COMMENT ON COLUMN vectorops.search_settings.filter IS 'As measured, such as price < 20; empty without a filter';
COMMENT ON COLUMN vectorops.search_settings.filter_shape IS 'The filter without its values: price <';
COMMENT ON COLUMN vectorops.search_settings.selectivity IS 'Share of the rows that pass the filter';
COMMENT ON COLUMN vectorops.search_settings.queries IS 'Vectors of the table that were searched for';
