create table if not exists migrations
(
    number     UInt32,
    name       String,
    checksum   String,
    applied_at DateTime('UTC') default now()
)
engine = ReplacingMergeTree
order by number
