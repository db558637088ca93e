with

stay as (
    select * from {{ ref('fct_stay') }}
    where is_valid
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
        stay.gend,
        stay.age_band,
        stay.hosp_lv,
        coalesce(stay.insutype, 'unknown') as insutype,
        count(*) as stay_count,
        count(*) filter (where stay.is_dead) as death_count,
        sum(stay.stay_days) as stay_days,
        sum(stay.medfee_sumamt) as cost
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
        counted.gend,
        counted.age_band,
        counted.hosp_lv,
        counted.insutype,
        coalesce(chapter.name_zh, '未归类') as chapter_name_zh,
        coalesce(chapter.name_en, 'Unclassified') as chapter_name_en,
        strftime(counted.discharge_month, '%Y') || 'Q' || quarter(counted.discharge_month) as discharge_quarter,
        counted.stay_count,
        counted.death_count,
        cast(counted.stay_days as bigint) as stay_days,
        counted.cost,
        counted.stay_count / sum(counted.stay_count) over whole_month as stay_share,
        cast(counted.cost as double) / cast(nullif(sum(counted.cost) over whole_month, 0) as double) as cost_share
    from counted
    left join chapter
        on counted.chapter_no = chapter.chapter_no
    window whole_month as (partition by counted.region, counted.origin, counted.currency, counted.discharge_month)
)

select * from final
