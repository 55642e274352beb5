-- What made a synthetic row: model, prompt id and hash, attributes asked for, editor. Photos that
-- contradict their text on purpose are no longer made, so nothing is left to say about them.

ALTER TABLE synthesis ADD COLUMN provenance jsonb NOT NULL DEFAULT '{}';
ALTER TABLE synthesis DROP COLUMN consistent;
