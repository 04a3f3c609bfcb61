-- IF NOT EXISTS: whoever administers the server may have installed it already.
CREATE EXTENSION IF NOT EXISTS vector SCHEMA public;
