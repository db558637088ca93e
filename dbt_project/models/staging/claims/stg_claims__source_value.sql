with

source as (
    select * from {{ source('knowledge', 'valuation') }}
),

-- Other judging records move a value at least as far as sampling does; where they are not known, sampling stands alone.
renamed as (
    select
        source.task,
        source.region,
        source.month,
        source.source,
        source.city,
        source.stays,
        source.value,
        coalesce(source.judged_low, source.low) as value_low,
        coalesce(source.judged_high, source.high) as value_high,
        source.unit,
        source.rank,
        coalesce(source.judged_rank_low, source.rank_low) as rank_low,
        coalesce(source.judged_rank_high, source.rank_high) as rank_high,
        coalesce(source.judged_stability, source.stability) as stability,
        source.selected as is_selected,
        source.reason_zh,
        source.reason_en,
        source.finding_zh,
        source.finding_en,
        source.cost,
        source.cost_unit,
        source.bytes,
        source.method,
        source.snapshot as snapshot_id
    from source
    where source.month is not null
)

select * from renamed
