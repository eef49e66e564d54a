-- One row a session, in the minute in which it started. Written by the owner of its visitor.
create table sessions
(
    site_id    LowCardinality(String),
    minute     DateTime('UTC') codec (Delta, ZSTD),
    session_id String codec (ZSTD),
    visitor_id String codec (ZSTD),
    version    UInt64,
    is_deleted UInt8,
    person_id  String codec (ZSTD),
    started_at DateTime64(3, 'UTC') codec (Delta, ZSTD),
    ended_at   DateTime64(3, 'UTC') codec (Delta, ZSTD),
    events     UInt32,
    page_views UInt32,
    engaged    Bool,
    channel    LowCardinality(String),
    media      LowCardinality(String),
    campaign   LowCardinality(String),
    device     LowCardinality(String),
    country    LowCardinality(String)
)
engine = ReplacingMergeTree(version, is_deleted)
partition by toYYYYMM(minute)
order by (site_id, minute, session_id, visitor_id)
