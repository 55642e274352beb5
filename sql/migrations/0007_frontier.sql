-- What a crawl has still to ask for, and what came of each address, so that a killed crawl goes on where
-- it was and two workers share one. `key` names the kind of request and the address; its digest is the
-- key, for an address can be longer than an index entry may be.
CREATE TABLE frontier (
    run_id        text NOT NULL REFERENCES run ON DELETE CASCADE,
    crawl         text NOT NULL,
    digest        text NOT NULL,
    key           text NOT NULL,
    number        bigint GENERATED ALWAYS AS IDENTITY,
    worker        text,
    leased_until  timestamptz,
    leases        int NOT NULL DEFAULT 0,
    result        bytea,
    -- The result is an outage: final for this attempt, asked again by the next.
    again         boolean NOT NULL DEFAULT false,
    added_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (crawl, digest)
);
CREATE INDEX frontier_open ON frontier (crawl, number) WHERE result IS NULL;
CREATE INDEX frontier_run ON frontier (run_id);

-- Which source a page is of, and what it was asked for: new, deeper, retry, or kept from an earlier night.
ALTER TABLE page ADD COLUMN source text NOT NULL DEFAULT '';
ALTER TABLE page ADD COLUMN action text NOT NULL DEFAULT '';
