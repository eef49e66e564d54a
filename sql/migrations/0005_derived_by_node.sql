-- The same rows by node, so that `derive` finds what it wrote before beside the history that it reads.
create table derived_by_node
(
    site_id            LowCardinality(String),
    node               String codec (ZSTD),
    minute             DateTime('UTC') codec (Delta, ZSTD),
    event_id           UUID,
    version            UInt64,
    is_deleted         UInt8,
    person_id          String codec (ZSTD),
    stage              LowCardinality(String),
    rule_id            LowCardinality(String),
    customer_state     LowCardinality(String),
    order_rank         UInt32,
    order_value        Nullable(Decimal(18, 4)),
    acted_before       Bool,
    first_visit        Bool,
    session_id         String codec (ZSTD),
    session_start      DateTime64(3, 'UTC') codec (Delta, ZSTD),
    session_end        DateTime64(3, 'UTC') codec (Delta, ZSTD),
    session_events     UInt32,
    session_page_views UInt32,
    session_engaged    Bool,
    channel            LowCardinality(String),
    media              LowCardinality(String),
    campaign           LowCardinality(String)
)
engine = ReplacingMergeTree(version, is_deleted)
order by (site_id, node, minute, event_id)
settings index_granularity = 512
