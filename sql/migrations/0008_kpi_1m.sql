-- KPI parts by site, minute and one dimension: counts, sums, and the sets behind the distinct counts.
-- A bucket is recomputed by its one owner, never added to. version: broker generation, then the offset of the request.
create table kpi_1m
(
    site_id             LowCardinality(String),
    minute              DateTime('UTC') codec (Delta, ZSTD),
    dimension           LowCardinality(String),
    value               LowCardinality(String),
    version             UInt64,
    events              UInt64,
    bot_events          UInt64,
    page_views          UInt64,
    product_views       UInt64,
    add_to_carts        UInt64,
    new_visitors        UInt64,
    sessions            UInt64,
    engaged_sessions    UInt64,
    orders              UInt64,
    first_orders        UInt64,
    repeat_orders       UInt64,
    revenue             Decimal(38, 4),
    reach_events        UInt64,
    act_events          UInt64,
    convert_events      UInt64,
    engage_events       UInt64,
    visitors            AggregateFunction(uniqExact, UInt64),
    visit_persons       AggregateFunction(uniqExact, UInt64),
    act_persons         AggregateFunction(uniqExact, UInt64),
    lead_persons        AggregateFunction(uniqExact, UInt64),
    order_persons       AggregateFunction(uniqExact, UInt64),
    acted_order_persons AggregateFunction(uniqExact, UInt64),
    repeat_persons      AggregateFunction(uniqExact, UInt64),
    engaged_customers   AggregateFunction(uniqExact, UInt64),
    active_customers    AggregateFunction(uniqExact, UInt64)
)
engine = ReplacingMergeTree(version)
partition by toYYYYMM(minute)
order by (site_id, minute, dimension, value)
