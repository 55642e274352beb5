-- Who stands for copies, findable by the keys of its MinHash bands: what a night compares its new
-- reviews with, however many nights came before. Narrow, so that a lookup stays in the index.
CREATE TABLE band_leader (
    number     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    space      text NOT NULL,
    review_id  text COLLATE "C" NOT NULL,
    folded     text NOT NULL,
    scope      text NOT NULL,
    sentiment  text NOT NULL CHECK (sentiment IN ('negative', 'neutral', 'positive')),
    -- uint16, little-endian; NULL for a text too short to have one.
    signature  bytea,
    UNIQUE (space, review_id)
);
CREATE TABLE band_key (
    key     bigint NOT NULL,
    leader  bigint NOT NULL REFERENCES band_leader ON DELETE CASCADE,
    PRIMARY KEY (key, leader)
);
-- For taking a leader out.
CREATE INDEX band_key_of_leader ON band_key (leader);
