{{ config(materialized='incremental', refreshed_by='month', refreshed_on='discharge_month') }}

with

stay as (
    select
        *,
        regexp_replace(upper(dscg_maindiag_code), '[^A-Z0-9]', '', 'g') as diagnosis_code,
        cast(medfee_sumamt as decimal(19, 2)) * cast(medfee_sumamt as decimal(19, 2)) as cost_square
    from {{ ref('fct_stay') }}
    where is_valid and {{ touched('discharge_month', by='month') }}
),

chapter as (
    select * from {{ ref('icd10_chapter') }}
),

counted as (
    select
        stay.region,
        stay.origin,
        stay.currency,
        stay.discharge_month,
        stay.diagnosis_system,
        stay.chapter_no,
        stay.diagnosis_category,
        stay.diagnosis_code,
        stay.gend,
        stay.age_band,
        stay.hosp_lv,
        coalesce(stay.insutype, 'unknown') as insutype,
        count(*) as stay_count,
        count(*) filter (where stay.is_dead) as death_count,
        sum(stay.stay_days) as stay_days,
        sum(stay.medfee_sumamt) as cost,
        sum(stay.cost_square) as cost_square_sum
    from stay
    group by all
),

-- Shares are of what may be added up: one region, month and currency, with real and generated data apart.
final as (
    select
        counted.region,
        counted.origin,
        counted.currency,
        counted.discharge_month,
        counted.diagnosis_system,
        counted.chapter_no,
        counted.diagnosis_category,
        counted.diagnosis_code,
        counted.gend,
        counted.age_band,
        counted.hosp_lv,
        counted.insutype,
        coalesce(chapter.name_zh, '未归类') as chapter_name_zh,
        coalesce(chapter.name_en, 'Unclassified') as chapter_name_en,
        strftime(counted.discharge_month, '%Y') || 'Q' || quarter(counted.discharge_month) as discharge_quarter,
        case
            when month(counted.discharge_month) between 3 and 5 then 'spring'
            when month(counted.discharge_month) between 6 and 8 then 'summer'
            when month(counted.discharge_month) between 9 and 11 then 'autumn'
            else 'winter'
        end as season,
        counted.stay_count,
        counted.death_count,
        cast(counted.stay_days as bigint) as stay_days,
        counted.cost,
        counted.cost_square_sum,
        cast(counted.cost as double) / counted.stay_count as mean_cost,
        {{ mean_end('counted.stay_count', 'counted.cost', 'counted.cost_square_sum', -1) }} as mean_cost_low,
        {{ mean_end('counted.stay_count', 'counted.cost', 'counted.cost_square_sum', 1) }} as mean_cost_high,
        counted.stay_count / sum(counted.stay_count) over whole_month as stay_share,
        {{ wilson('counted.stay_count', 'sum(counted.stay_count) over whole_month', -1) }} as stay_share_low,
        {{ wilson('counted.stay_count', 'sum(counted.stay_count) over whole_month', 1) }} as stay_share_high,
        cast(counted.cost as double) / cast(nullif(sum(counted.cost) over whole_month, 0) as double) as cost_share
    from counted
    left join chapter
        on counted.chapter_no = chapter.chapter_no
    window whole_month as (partition by counted.region, counted.origin, counted.currency, counted.discharge_month)
)

select * from final
