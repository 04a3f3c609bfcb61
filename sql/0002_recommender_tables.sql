-- The nearest items are those with the highest cosine similarity, 1 - (embedding <=> query), so both indexes
-- name the cosine operator class: an index serves no operator but its own, and a search that orders by another
-- one reads the whole table without a word.

CREATE TABLE public.item_emb (
    id varchar PRIMARY KEY,
    embedding vector(32)
);

CREATE INDEX item_emb_embedding_idx ON public.item_emb USING hnsw (embedding vector_cosine_ops);

CREATE TABLE public.user_emb (
    id int PRIMARY KEY,
    embedding vector(32)
);

CREATE INDEX user_emb_embedding_idx ON public.user_emb USING hnsw (embedding vector_cosine_ops);
