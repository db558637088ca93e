{{ config(materialized='incremental', refreshed_by='stay', refreshed_on='stay_id') }}

with

stay as (
    select * from {{ ref('fct_stay') }}
    where is_valid and medfee_sumamt > 0 and {{ touched('stay_id') }}
),

audited as (
    select * from {{ ref('audited_hospital') }}
),

hospital as (
    select * from {{ ref('dim_hospital') }}
),

surveyed as (
    select distinct hospital.region
    from hospital
    inner join audited
        on hospital.source_id = audited.source_id and hospital.fixmedins_code = audited.fixmedins_code
),

-- The bureau's labels are costs it has audited: where it names audited hospitals, its sample comes from these only.
eligible as (
    select
        stay.stay_id,
        surveyed.region is null or audited.fixmedins_code is not null as is_eligible
    from stay
    left join surveyed
        on stay.region = surveyed.region
    left join audited
        on stay.source_id = audited.source_id and stay.fixmedins_code = audited.fixmedins_code
),

-- Two independent slices of one hash, read as numbers below 2**32: the first draws the audited sample, the second parts
-- it. A larger target_share therefore only adds stays and never moves one between train, valid and test.
hashed as (
    select
        stay.stay_id,
        eligible.is_eligible,
        cast('0x' || substr(md5(stay.stay_id), 1, 8) as ubigint) as sample_hash,
        cast('0x' || substr(md5(stay.stay_id), 9, 8) as ubigint) as part_hash
    from stay
    inner join eligible
        on stay.stay_id = eligible.stay_id
),

split as (
    select
        hashed.stay_id,
        case
            when not hashed.is_eligible or hashed.sample_hash >= {{ var('target_share') }} * 4294967296 then 'source'
            when hashed.part_hash < 0.10 * 4294967296 then 'target_train'
            when hashed.part_hash < 0.55 * 4294967296 then 'target_valid'
            else 'target_test'
        end as split
    from hashed
),

final as (
    select
        stay.stay_id,
        stay.source_id,
        stay.fixmedins_code as hospital,
        stay.city,
        stay.region,
        stay.discharge_month as month,
        split.split,
        stay.medfee_sumamt as cost,
        stay.currency,
        ln(cast(stay.medfee_sumamt as double)) as log_cost,
        coalesce(cast(stay.age_years as double), 0) as age,
        cast(stay.gend = '1' as double) as is_male,
        ln(1 + cast(stay.stay_days as double)) as log_days,
        cast(stay.diagnosis_count as double) as diagnosis_count,
        cast(stay.operation_count as double) as operation_count,
        cast(stay.is_emergency as double) as is_emergency,
        cast(stay.is_dead as double) as is_dead,
        cast(coalesce(stay.insutype = '310', false) as double) as is_employee,
        coalesce(try_cast(nullif(stay.hosp_lv, '9') as double), 0) as hospital_level,
        stay.diagnosis_chapter,
        stay.diagnosis_category,
        stay.operation_category
    from stay
    inner join split
        on stay.stay_id = split.stay_id
)

select * from final
