-- What a person's history says about an event. Written by the one owner of the event's node.
-- A session stands at its first event, in whose minute it counts: so a session that starts earlier than was thought
-- leaves nothing behind. session_events is 0 for all other events.
-- version: broker generation, then the offset of the request that it answers; see log.version.
create table derived
(
    site_id            LowCardinality(String),
    minute             DateTime('UTC') codec (Delta, ZSTD),
    event_id           UUID,
    version            UInt64,
    is_deleted         UInt8,
    node               String codec (ZSTD),
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
partition by toYYYYMM(minute)
order by (site_id, minute, event_id)
