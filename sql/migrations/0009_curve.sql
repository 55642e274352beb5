-- The cold-start curve of a run: each line at each number of real niche rows, and what was compared.

CREATE TABLE curve_point (
    run_id       text NOT NULL REFERENCES run ON DELETE CASCADE,
    stage        text NOT NULL,
    shard        int  NOT NULL DEFAULT 0,
    point_id     text NOT NULL,
    line         text NOT NULL,
    under        text NOT NULL,
    real_rows    int  NOT NULL CHECK (real_rows >= -1),
    figure       text NOT NULL,
    value        double precision NOT NULL,
    low          double precision NOT NULL,
    high         double precision NOT NULL,
    n            int  NOT NULL,
    products     int  NOT NULL,
    data_sha256  text NOT NULL,
    verdict      text NOT NULL CHECK (verdict IN ('', 'helps', 'harms', 'cannot tell')),
    PRIMARY KEY (run_id, point_id)
);
