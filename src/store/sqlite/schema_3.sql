-- Version 3. A signing key is published before it signs. Those of before have been signing since they were made.
ALTER TABLE keys ADD COLUMN signs_from INTEGER NOT NULL DEFAULT 0;
UPDATE keys SET signs_from = created_at;
