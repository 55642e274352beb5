-- What may not come back, by hash alone: SHA-256 of "review:ID", "text:FOLDED TEXT", "author:MARK", "source:NAME".
CREATE TABLE tombstone (
    sha256      text PRIMARY KEY CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    buried_at   timestamptz NOT NULL DEFAULT now()
);

-- One forgetting. The plan holds what is to be forgotten until all of it is gone, so that a killed one
-- can be finished; the certificate then takes the plan's place.
CREATE TABLE forgetting (
    number        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    plan          jsonb,
    changes       jsonb NOT NULL DEFAULT '[]',
    certificate   jsonb,
    begun_at      timestamptz NOT NULL DEFAULT now(),
    certified_at  timestamptz,
    CHECK ((plan IS NULL) = (certificate IS NOT NULL))
);
