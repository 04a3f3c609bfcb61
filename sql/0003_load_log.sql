CREATE SCHEMA IF NOT EXISTS vectorops;

-- A row is written in the transaction of the load it describes: what is not here did not happen.
CREATE TABLE vectorops.load_log (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    table_name text NOT NULL,
    sources text[] NOT NULL,
    checksum text,
    started_at timestamptz NOT NULL,
    finished_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    rows_read bigint NOT NULL CHECK (rows_read >= 0),
    rows_inserted bigint NOT NULL CHECK (rows_inserted >= 0),
    rows_updated bigint NOT NULL CHECK (rows_updated >= 0),
    rows_unchanged bigint NOT NULL CHECK (rows_unchanged >= 0),
    rows_rejected bigint NOT NULL CHECK (rows_rejected >= 0),
    model_version text,
    loaded_by text NOT NULL DEFAULT current_user
);

COMMENT ON COLUMN vectorops.load_log.table_name IS 'With its schema, unquoted: public.item_emb';
COMMENT ON COLUMN vectorops.load_log.checksum IS 'SHA-256 of the bytes of the sources, in order';
COMMENT ON COLUMN vectorops.load_log.model_version IS 'Of the model that made the vectors, where it is known';
