ALTER TABLE vectorops.load_log
    ADD COLUMN mode text NOT NULL DEFAULT 'upsert'
        CHECK (mode IN ('upsert', 'append', 'replace', 'rollback')),
    ADD COLUMN index_strategy text CHECK (index_strategy IN ('insert', 'rebuild')),
    ADD COLUMN bytes_read bigint CHECK (bytes_read >= 0),
    ADD COLUMN duration interval GENERATED ALWAYS AS (finished_at - started_at) STORED;

COMMENT ON COLUMN vectorops.load_log.mode IS 'A rollback reads nothing: it puts back the table that was kept';
COMMENT ON COLUMN vectorops.load_log.index_strategy IS 'Whether rows went through the indexes or into a new table';

-- The table that each replaced one has in reserve, in the schema vectorops_kept_<schema> under its own name.
CREATE TABLE vectorops.kept_tables (
    table_name text PRIMARY KEY,
    model_version text,
    kept_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    kept_by text NOT NULL DEFAULT current_user
);

COMMENT ON COLUMN vectorops.kept_tables.table_name IS 'With its schema, unquoted: public.item_emb';
COMMENT ON COLUMN vectorops.kept_tables.model_version IS 'Of the model that made the vectors of the kept table';
