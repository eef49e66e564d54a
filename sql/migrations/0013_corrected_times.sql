-- The few events whose time was corrected, by id: a later copy that seems to be in time must keep the first one's.
create table corrected_times
(
    site_id     LowCardinality(String),
    event_id    UUID,
    occurred_at DateTime64(3, 'UTC') codec (Delta, ZSTD)
)
engine = ReplacingMergeTree
order by (site_id, event_id)
