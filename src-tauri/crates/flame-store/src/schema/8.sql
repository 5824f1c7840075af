-- Format 8. The first records of a run that ended with them stand in its row: most runs of webhooks are one commit, and
-- that commit one row. Only small ones do, with small payloads: lists read the number, which stands behind them.
ALTER TABLE runs ADD COLUMN opening_count INTEGER;
ALTER TABLE runs ADD COLUMN opening BLOB;
