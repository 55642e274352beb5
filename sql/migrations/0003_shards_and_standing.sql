-- A stage may be split over machines: manifests and rows are keyed by shard too, so that one shard
-- never erases another's. A stage that is not split has the one shard 0.
ALTER TABLE stage_commit ADD COLUMN shard int NOT NULL DEFAULT 0 CHECK (shard >= 0);
ALTER TABLE stage_commit DROP CONSTRAINT stage_commit_pkey;
ALTER TABLE stage_commit ADD PRIMARY KEY (run_id, stage, shard);

ALTER TABLE page ADD COLUMN shard int NOT NULL DEFAULT 0;
ALTER TABLE product ADD COLUMN shard int NOT NULL DEFAULT 0;
ALTER TABLE photo ADD COLUMN shard int NOT NULL DEFAULT 0;
ALTER TABLE review ADD COLUMN shard int NOT NULL DEFAULT 0;
ALTER TABLE dedupe_decision ADD COLUMN shard int NOT NULL DEFAULT 0;
ALTER TABLE synthesis ADD COLUMN shard int NOT NULL DEFAULT 0;
ALTER TABLE challenge_verdict ADD COLUMN shard int NOT NULL DEFAULT 0;
ALTER TABLE label ADD COLUMN shard int NOT NULL DEFAULT 0;
ALTER TABLE rejection ADD COLUMN shard int NOT NULL DEFAULT 0;
ALTER TABLE rejection DROP CONSTRAINT rejection_pkey;
ALTER TABLE rejection ADD PRIMARY KEY (run_id, stage, shard, row_id, reason);

-- Whether anything outside the holdout may look at a scraped photo.
CREATE TABLE photo_decision (
    run_id    text NOT NULL REFERENCES run ON DELETE CASCADE,
    stage     text NOT NULL,
    shard     int  NOT NULL DEFAULT 0,
    photo_id  text NOT NULL,
    usable    boolean NOT NULL,
    reason    text NOT NULL,
    PRIMARY KEY (run_id, photo_id)
);

-- One shot of one thing in every condition; `uris` maps each condition to the shot's address.
CREATE TABLE study (
    run_id         text NOT NULL REFERENCES run ON DELETE CASCADE,
    stage          text NOT NULL,
    shard          int  NOT NULL DEFAULT 0,
    study_id       text NOT NULL,
    product_id     text NOT NULL,
    base_photo_id  text NOT NULL,
    uris           jsonb NOT NULL,
    PRIMARY KEY (run_id, study_id)
);

-- What outlives a run: facts by topic and key, appended one at a time, each committed at once.
-- `once` facts exist once a key, whoever writes first.
CREATE TABLE standing_fact (
    number  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic   text NOT NULL,
    key     text COLLATE "C" NOT NULL,
    value   jsonb NOT NULL,
    once    boolean NOT NULL DEFAULT false,
    at      timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX standing_fact_once ON standing_fact (topic, key) WHERE once;
CREATE INDEX standing_fact_newest ON standing_fact (topic, key, number DESC);
CREATE INDEX standing_fact_topic ON standing_fact (topic, number);
