-- The record: what every stage of every run produced. Rows carry the run and the stage that made
-- them, so that a stage's work is replaced as one piece.

CREATE EXTENSION IF NOT EXISTS vector;

CREATE TABLE run (
    run_id      text PRIMARY KEY,
    recipe      text NOT NULL,
    settings    jsonb NOT NULL,
    started_at  timestamptz NOT NULL DEFAULT now()
);

-- A stage's manifest, written in the same transaction as its rows: present means complete.
CREATE TABLE stage_commit (
    run_id        text NOT NULL REFERENCES run ON DELETE CASCADE,
    stage         text NOT NULL,
    report        jsonb NOT NULL,
    committed_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (run_id, stage)
);

CREATE TABLE page (
    run_id      text NOT NULL REFERENCES run ON DELETE CASCADE,
    stage       text NOT NULL,
    url         text NOT NULL,
    sha256      text NOT NULL,
    uri         text NOT NULL,
    status      int  NOT NULL,
    fetcher     text NOT NULL CHECK (fetcher IN ('http', 'browser')),
    fetched_at  timestamptz NOT NULL,
    PRIMARY KEY (run_id, url)
);

CREATE TABLE product (
    run_id      text NOT NULL REFERENCES run ON DELETE CASCADE,
    stage       text NOT NULL,
    product_id  text NOT NULL,
    name        text NOT NULL,
    category    text NOT NULL,
    url         text NOT NULL,
    PRIMARY KEY (run_id, product_id)
);

CREATE TABLE photo (
    run_id         text NOT NULL REFERENCES run ON DELETE CASCADE,
    stage          text NOT NULL,
    photo_id       text NOT NULL,
    product_id     text NOT NULL,
    kind           text NOT NULL CHECK (kind IN ('product', 'review')),
    origin         text NOT NULL CHECK (origin IN ('scraped', 'synthetic')),
    uri            text NOT NULL,
    width          int  NOT NULL CHECK (width > 0),
    height         int  NOT NULL CHECK (height > 0),
    source_url     text NOT NULL,
    condition      text CHECK (condition IN ('intact', 'torn', 'stained', 'broken')),
    base_photo_id  text,
    PRIMARY KEY (run_id, photo_id),
    -- The condition of a scraped photo is not known; only an edit knows what it drew.
    CHECK (origin = 'synthetic' OR condition IS NULL)
);

CREATE TABLE review (
    run_id       text NOT NULL REFERENCES run ON DELETE CASCADE,
    stage        text NOT NULL,
    review_id    text NOT NULL,
    product_id   text NOT NULL,
    category     text NOT NULL,
    title        text NOT NULL,
    body         text NOT NULL CHECK (body <> ''),
    rating       int  NOT NULL CHECK (rating BETWEEN 1 AND 5),
    origin       text NOT NULL CHECK (origin IN ('scraped', 'synthetic')),
    photo_id     text,
    source_url   text NOT NULL,
    page_sha256  text NOT NULL,
    extractor    text NOT NULL,
    author       text NOT NULL,
    published    text NOT NULL,
    PRIMARY KEY (run_id, review_id)
);

CREATE TABLE dedupe_decision (
    run_id      text NOT NULL REFERENCES run ON DELETE CASCADE,
    stage       text NOT NULL,
    review_id   text NOT NULL,
    cluster_id  text NOT NULL,
    kept        boolean NOT NULL,
    reason      text NOT NULL,
    similarity  double precision NOT NULL CHECK (similarity BETWEEN 0 AND 1),
    split       text NOT NULL CHECK (split IN ('train', 'validation', 'golden')),
    -- False where a golden page shows the same picture: the review is used without its photo.
    photo_kept  boolean NOT NULL DEFAULT true,
    PRIMARY KEY (run_id, review_id)
);

CREATE TABLE synthesis (
    run_id             text NOT NULL REFERENCES run ON DELETE CASCADE,
    stage              text NOT NULL,
    review_id          text NOT NULL,
    sentiment          text NOT NULL CHECK (sentiment IN ('negative', 'neutral', 'positive')),
    method             text NOT NULL,
    source_review_ids  text[] NOT NULL,
    condition          text CHECK (condition IN ('intact', 'torn', 'stained', 'broken')),
    consistent         boolean NOT NULL,
    PRIMARY KEY (run_id, review_id)
);

CREATE TABLE challenge_verdict (
    run_id     text NOT NULL REFERENCES run ON DELETE CASCADE,
    stage      text NOT NULL,
    review_id  text NOT NULL,
    score      double precision NOT NULL CHECK (score BETWEEN 0 AND 1),
    admitted   boolean NOT NULL,
    reason     text NOT NULL,
    weight     double precision NOT NULL CHECK (weight > 0),
    PRIMARY KEY (run_id, review_id)
);

CREATE TABLE label (
    run_id      text NOT NULL REFERENCES run ON DELETE CASCADE,
    stage       text NOT NULL,
    review_id   text NOT NULL,
    sentiment   text NOT NULL CHECK (sentiment IN ('negative', 'neutral', 'positive')),
    confidence  double precision NOT NULL CHECK (confidence BETWEEN 0 AND 1),
    band        text NOT NULL CHECK (band IN ('accept', 'review', 'discard')),
    votes       jsonb NOT NULL,
    PRIMARY KEY (run_id, review_id)
);

-- What went no further, with its reason; kept, and counted in every report. A row may be rejected
-- for several reasons, and a retry may not count it twice.
CREATE TABLE rejection (
    run_id  text NOT NULL REFERENCES run ON DELETE CASCADE,
    stage   text NOT NULL,
    row_id  text NOT NULL,
    reason  text NOT NULL,
    detail  text NOT NULL,
    PRIMARY KEY (run_id, stage, row_id, reason)
);
