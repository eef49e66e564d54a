-- Every accepted event once, as it was sent, with what could be concluded from itself alone.
--
-- The sorting key holds only what no redelivery changes, so a copy that arrives again replaces itself.
-- version: revision of the rules, then the earliest received copy; see store.event_version.
-- What depends on a person's history stands in `derived`.
create table events
(
    site_id         LowCardinality(String),
    minute          DateTime('UTC') codec (Delta, ZSTD),
    event_id        UUID,
    version         UInt64,
    is_deleted      UInt8,
    occurred_at     DateTime64(3, 'UTC') codec (Delta, ZSTD),
    sent_at         Nullable(DateTime64(3, 'UTC')),
    received_at     DateTime64(3, 'UTC') codec (Delta, ZSTD),
    name            LowCardinality(String),
    source          LowCardinality(String),
    visitor_id      String codec (ZSTD),
    user_id         String codec (ZSTD),
    session_id      String codec (ZSTD),
    stage           LowCardinality(String),
    rule_id         LowCardinality(String),
    rules_version   UInt16,
    candidates      Array(LowCardinality(String)),
    channel         LowCardinality(String),
    media           LowCardinality(String),
    campaign        LowCardinality(String),
    has_signal      Bool,
    device          LowCardinality(String),
    country         LowCardinality(String),
    is_bot          Bool,
    bot_reasons     Array(LowCardinality(String)),
    clock_corrected Bool,
    order_id        String codec (ZSTD),
    value           Nullable(Decimal(18, 4)),
    currency        LowCardinality(String),
    context         String codec (ZSTD(3)),
    properties      String codec (ZSTD(3)),
    stored_at       DateTime('UTC') default now() codec (Delta, ZSTD),
    index by_event_id event_id type bloom_filter(0.001) granularity 4
)
engine = ReplacingMergeTree(version, is_deleted)
partition by toYYYYMM(minute)
order by (site_id, minute, event_id)
