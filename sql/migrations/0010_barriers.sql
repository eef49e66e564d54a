-- Barriers that have passed every agent: one row for each way through the partitions.
create table barriers
(
    barrier_id UUID,
    path       Array(UInt16),
    passed_at  DateTime64(3, 'UTC') default now64(3)
)
engine = ReplacingMergeTree
order by (barrier_id, path)
ttl toDateTime(passed_at) + interval 1 day
