-- Projections of the record that answer searches. All of it can be rebuilt from the record.

-- One partition a version: made whole beside the one that serves (rows, then indexes, then attached),
-- dropped in one statement. Partitions are made by the adapter; a default one would hide a mistake.
CREATE TABLE review_vector (
    version     text NOT NULL,
    review_id   text COLLATE "C" NOT NULL,
    embedding   halfvec(384) NOT NULL,
    text        text NOT NULL,
    product_id  text NOT NULL,
    category    text NOT NULL,
    rating      int  NOT NULL CHECK (rating BETWEEN 1 AND 5),
    sentiment   text NOT NULL CHECK (sentiment IN ('negative', 'neutral', 'positive')),
    PRIMARY KEY (version, review_id)
) PARTITION BY LIST (version);

-- Which version serves: keyword and vector leg swap together because both read this row.
CREATE TABLE index_alias (
    name        text PRIMARY KEY,
    version     text NOT NULL,
    swapped_at  timestamptz NOT NULL DEFAULT now()
);

-- What a text became, so that a nightly run embeds only what is new. Full precision, any model.
CREATE TABLE embedding_cache (
    model        text NOT NULL,
    text_sha256  text NOT NULL,
    embedding    vector NOT NULL,
    PRIMARY KEY (model, text_sha256)
);
