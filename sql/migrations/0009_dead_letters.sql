-- Refused records with their reason. The same refusal of the same payload is one row.
create table dead_letters
(
    dead_letter_id UUID,
    reason         LowCardinality(String),
    detail         String codec (ZSTD),
    refused_by     LowCardinality(String),
    refused_at     DateTime64(3, 'UTC'),
    site_id        LowCardinality(String),
    event_id       String codec (ZSTD),
    payload        String codec (ZSTD(3)),
    index by_event_id event_id type bloom_filter(0.001) granularity 4
)
engine = ReplacingMergeTree
order by dead_letter_id
