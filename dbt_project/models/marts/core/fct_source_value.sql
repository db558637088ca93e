{{ config(materialized='view') }}

with

valued as (
    select * from {{ ref('stg_claims__source_value') }}
),

-- A shared code is told apart by its qualified name, which is the hospital's key.
hospital as (
    select
        dim_hospital.region,
        dim_hospital.fixmedins_code as source,
        any_value(dim_hospital.hospital_id) as hospital_id
    from {{ ref('dim_hospital') }} as dim_hospital
    group by dim_hospital.region, dim_hospital.fixmedins_code
    having count(*) = 1

    union all

    select
        dim_hospital.region,
        dim_hospital.hospital_id as source,
        dim_hospital.hospital_id
    from {{ ref('dim_hospital') }} as dim_hospital
),

month as (
    select
        valued.task,
        valued.region,
        valued.month,
        lag(valued.month) over (partition by valued.task, valued.region order by valued.month) as month_before
    from valued
    group by valued.task, valued.region, valued.month
),

beside as (
    select
        valued.*,
        month.month_before,
        before.source is not null as was_valued,
        before.method = valued.method and before.unit = valued.unit as is_comparable,
        before.value as value_before,
        before.value_low as value_low_before,
        before.value_high as value_high_before,
        before.rank as rank_before,
        before.rank_low as rank_low_before,
        before.rank_high as rank_high_before,
        before.is_selected as was_selected
    from valued
    inner join month
        on valued.task = month.task and valued.region = month.region and valued.month = month.month
    left join valued as before
        on
            month.task = before.task
            and month.region = before.region
            and month.month_before = before.month
            and valued.source = before.source
),

final as (
    select
        beside.task,
        beside.region,
        beside.month,
        beside.source,
        hospital.hospital_id,
        beside.city,
        beside.stays,
        beside.value,
        beside.value_low,
        beside.value_high,
        beside.unit,
        beside.rank,
        beside.rank_low,
        beside.rank_high,
        beside.stability,
        beside.is_selected,
        beside.reason_zh,
        beside.reason_en,
        beside.finding_zh,
        beside.finding_en,
        beside.cost,
        beside.cost_unit,
        beside.bytes,
        beside.method,
        beside.snapshot_id,
        beside.month_before,
        beside.value_before,
        beside.rank_before,
        beside.was_selected,
        case when beside.is_comparable then beside.value - beside.value_before end as value_change,
        beside.rank_before - beside.rank as places_gained,
        beside.rank_low > beside.rank_high_before or beside.rank_high < beside.rank_low_before as is_place_moved,
        case
            when beside.month_before is null then 'first'
            when not beside.was_valued then 'new'
            when not beside.is_comparable then 'method'
            when beside.value_low > beside.value_high_before then 'up'
            when beside.value_high < beside.value_low_before then 'down'
            else 'within'
        end as change
    from beside
    left join hospital
        on beside.region = hospital.region and beside.source = hospital.source
)

select * from final
