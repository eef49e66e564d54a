-- The events again, narrow, under every node that they speak of: visitor, user, order.
-- `derive` reads the whole history of some nodes at once, so small granules and no partitions.
create table history
(
    site_id     LowCardinality(String),
    node        String codec (ZSTD),
    occurred_at DateTime64(3, 'UTC') codec (Delta, ZSTD),
    event_id    UUID,
    version     UInt64,
    is_deleted  UInt8,
    name        LowCardinality(String),
    source      LowCardinality(String),
    visitor_id  String codec (ZSTD),
    user_id     String codec (ZSTD),
    session_id  String codec (ZSTD),
    candidates  Array(LowCardinality(String)),
    order_id    String codec (ZSTD),
    value       Nullable(Decimal(18, 4)),
    channel     LowCardinality(String),
    media       LowCardinality(String),
    campaign    LowCardinality(String),
    has_signal  Bool,
    device      LowCardinality(String),
    country     LowCardinality(String)
)
engine = ReplacingMergeTree(version, is_deleted)
order by (site_id, node, occurred_at, event_id)
settings index_granularity = 512
