{#
A view over the cells of the spectrum: a late month changes the rank and the change of the months beside it at once.
#}
{{ config(materialized='view') }}

with

cell as (
    select * from {{ ref('ind_disease_spectrum') }}
),

-- Each cell counts at three levels of disease and in three kinds of period.
summed as (
    select
        cell.region,
        cell.origin,
        cell.currency,
        period.period_kind,
        cast(date_trunc(period.period_kind, cell.discharge_month) as date) as period_start,
        disease.disease_level,
        cell.diagnosis_system,
        case disease.disease_level
            when 'chapter' then cell.chapter_no
            when 'category' then cell.diagnosis_category
            else cell.diagnosis_code
        end as disease,
        min(cell.chapter_no) as chapter_no,
        sum(cell.stay_count) as stay_count,
        sum(cell.death_count) as death_count,
        sum(cell.stay_days) as stay_days,
        sum(cell.cost) as cost,
        sum(cell.cost_square_sum) as cost_square_sum
    from cell
    cross join (values ('month'), ('quarter'), ('year')) as period (period_kind)
    cross join (values ('chapter'), ('category'), ('disease')) as disease (disease_level)
    group by all
),

shared as (
    select
        summed.*,
        sum(summed.stay_count) over whole_period as period_stay_count,
        summed.stay_count / sum(summed.stay_count) over whole_period as stay_share,
        rank() over (
            partition by
                summed.region, summed.origin, summed.currency, summed.period_kind, summed.period_start,
                summed.disease_level
            order by summed.stay_count desc
        ) as stay_rank
    from summed
    window whole_period as (
        partition by
            summed.region, summed.origin, summed.currency, summed.period_kind, summed.period_start,
            summed.disease_level
    )
),

whole as (
    select distinct
        shared.region,
        shared.origin,
        shared.currency,
        shared.period_kind,
        shared.period_start
    from shared
),

final as (
    select
        shared.region,
        shared.origin,
        shared.currency,
        shared.period_kind,
        shared.period_start,
        shared.disease_level,
        shared.diagnosis_system,
        shared.disease,
        shared.chapter_no,
        cast(shared.stay_count as bigint) as stay_count,
        cast(shared.death_count as bigint) as death_count,
        cast(shared.stay_days as bigint) as stay_days,
        shared.cost,
        cast(shared.cost as double) / shared.stay_count as mean_cost,
        {{ mean_end('shared.stay_count', 'shared.cost', 'shared.cost_square_sum', -1) }} as mean_cost_low,
        {{ mean_end('shared.stay_count', 'shared.cost', 'shared.cost_square_sum', 1) }} as mean_cost_high,
        shared.stay_share,
        {{ wilson('shared.stay_count', 'shared.period_stay_count', -1) }} as stay_share_low,
        {{ wilson('shared.stay_count', 'shared.period_stay_count', 1) }} as stay_share_high,
        shared.stay_rank,
        cast(earlier.stay_rank - shared.stay_rank as bigint) as rank_gain,
        -- Where the region reports the period before, a disease that did not occur then had a share of nothing.
        case when whole.region is not null then shared.stay_share - coalesce(earlier.stay_share, 0) end as share_change
    from shared
    left join shared as earlier
        on
            shared.region = earlier.region
            and shared.origin = earlier.origin
            and shared.currency = earlier.currency
            and shared.period_kind = earlier.period_kind
            and shared.disease_level = earlier.disease_level
            and shared.diagnosis_system = earlier.diagnosis_system
            and shared.disease = earlier.disease
            and earlier.period_start = {{ period_before('shared') }}
    left join whole
        on
            shared.region = whole.region
            and shared.origin = whole.origin
            and shared.currency = whole.currency
            and shared.period_kind = whole.period_kind
            and whole.period_start = {{ period_before('shared') }}
)

select * from final
