{{ config(materialized='incremental', refreshed_by='valued month', refreshed_on='discharge_month') }}
-- depends_on: {{ ref('int_stays__touched') }}

with

stay as (
    select * from {{ ref('fct_stay') }}
    where is_valid and {{ touched('discharge_month', by='valued month') }}
),

use as (
    select
        stay_id,
        coalesce(sum(amount) filter (where category = 'formulary'), 0) as formulary_amount,
        coalesce(sum(amount) filter (where category = 'uncoded_drug'), 0) as uncoded_amount
    from {{ ref('fct_special_use') }}
    where category in ('formulary', 'uncoded_drug')
    group by stay_id
),

counted as (
    select
        stay.discharge_month,
        stay.region,
        stay.currency,
        stay.origin,
        stay.diagnosis_system,
        stay.diagnosis_category,
        min(stay.chapter_no) as chapter_no,
        count(*) as stay_count,
        count(*) filter (where stay.drug_amount > 0) as drug_stay_count,
        count(*) filter (where use.formulary_amount > 0) as formulary_stay_count,
        sum(stay.drug_amount) as drug_amount,
        cast(coalesce(sum(use.formulary_amount), 0) as decimal(38, 2)) as formulary_amount,
        cast(coalesce(sum(use.uncoded_amount), 0) as decimal(38, 2)) as uncoded_amount
    from stay
    left join use
        on stay.stay_id = use.stay_id
    group by
        stay.discharge_month, stay.region, stay.currency, stay.origin, stay.diagnosis_system, stay.diagnosis_category
),

final as (
    select
        counted.*,
        counted.drug_amount - counted.formulary_amount as gap_amount,
        counted.stay_count / sum(counted.stay_count) over whole_month as spectrum_share,
        counted.formulary_stay_count / nullif(counted.drug_stay_count, 0) as covered_stay_share,
        cast(counted.formulary_amount as double) / cast(nullif(counted.drug_amount, 0) as double) as formulary_share
    from counted
    window whole_month as (partition by counted.discharge_month, counted.region, counted.currency, counted.origin)
)

select * from final
