-- Who stands for copies, by the night that said so: a night that is tried again takes out what its
-- first attempt added. `version` is the MD5 of the words that were read: a review that was rewritten
-- stands for nothing by its old ones. `learned` says that a model may have learned from it: once the
-- shop has taken it away, a copy of it is no judge.
ALTER TABLE band_leader ADD COLUMN run_id text NOT NULL DEFAULT '';
ALTER TABLE band_leader ADD COLUMN version bytea NOT NULL DEFAULT '';
ALTER TABLE band_leader ADD COLUMN learned boolean NOT NULL DEFAULT false;
ALTER TABLE band_leader DROP CONSTRAINT band_leader_space_review_id_key;
ALTER TABLE band_leader ADD CONSTRAINT band_leader_of_night UNIQUE (space, run_id, review_id);
CREATE INDEX band_leader_of_review ON band_leader (review_id, space);
