-- A night keeps what is new. A commit's rows are those of the commit that it stands on (the same
-- stage and shard of an earlier run), without the keys in row_gone, and with the rows under its own
-- run id over them. A commit without a base holds all of its rows itself.
ALTER TABLE stage_commit ADD COLUMN base_run_id text;
ALTER TABLE stage_commit ADD CONSTRAINT stage_commit_base
    FOREIGN KEY (base_run_id, stage, shard) REFERENCES stage_commit (run_id, stage, shard)
    DEFERRABLE INITIALLY DEFERRED;
CREATE INDEX stage_commit_of_base ON stage_commit (base_run_id, stage, shard);

-- Keys that the base holds and this commit does not; `kind` is the table they are of.
CREATE TABLE row_gone (
    run_id   text NOT NULL REFERENCES run ON DELETE CASCADE,
    stage    text NOT NULL,
    shard    int  NOT NULL,
    kind     text NOT NULL,
    row_key  text COLLATE "C" NOT NULL,
    PRIMARY KEY (run_id, stage, shard, kind, row_key)
);

-- One review over all nights: where its versions and its departures are.
CREATE INDEX review_over_nights ON review (review_id, run_id);
CREATE INDEX row_gone_over_nights ON row_gone (row_key, kind);
