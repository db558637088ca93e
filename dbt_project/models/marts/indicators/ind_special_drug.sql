{{ config(materialized='incremental', refreshed_by='valued month', refreshed_on='discharge_month') }}
-- depends_on: {{ ref('int_stays__touched') }}

with

stay as (
    select
        *,
        coalesce(dscg_dept_name, 'unknown') as department
    from {{ ref('fct_stay') }}
    where is_valid and {{ touched('discharge_month', by='valued month') }}
),

use as (
    select * from {{ ref('fct_special_use') }}
    where category not in ('formulary', 'central', 'uncoded_drug', 'high_value_drug', 'high_value_consumable')
),

cell as (
    select
        stay.discharge_month,
        stay.hospital_id,
        stay.department,
        stay.diagnosis_system,
        stay.diagnosis_category,
        min(stay.region) as region,
        min(stay.hosp_lv) as hosp_lv,
        min(stay.currency) as currency,
        min(stay.origin) as origin,
        count(*) as cell_stay_count,
        cast(sum(stay.stay_days) as bigint) as cell_stay_days,
        sum(stay.drug_amount) as cell_drug_amount
    from stay
    group by stay.discharge_month, stay.hospital_id, stay.department, stay.diagnosis_system, stay.diagnosis_category
),

counted as (
    select
        stay.discharge_month,
        stay.hospital_id,
        stay.department,
        stay.diagnosis_system,
        stay.diagnosis_category,
        use.category,
        count(*) as stay_count,
        cast(sum(use.amount) as decimal(38, 2)) as amount,
        cast(sum(use.ddd) as decimal(38, 4)) as ddd,
        cast(sum(use.undosed_amount) as decimal(38, 2)) as undosed_amount
    from use
    inner join stay
        on use.stay_id = stay.stay_id
    group by all
),

final as (
    select
        cell.*,
        counted.category,
        counted.stay_count,
        counted.amount,
        counted.ddd,
        counted.undosed_amount,
        counted.stay_count / cell.cell_stay_count as stay_share,
        100 * cast(counted.ddd as double) / cell.cell_stay_days as ddd_per_100_days,
        cast(counted.amount as double) / cast(nullif(cell.cell_drug_amount, 0) as double) as amount_share
    from counted
    inner join cell
        on
            counted.discharge_month = cell.discharge_month
            and counted.hospital_id = cell.hospital_id
            and counted.department = cell.department
            and counted.diagnosis_system = cell.diagnosis_system
            and counted.diagnosis_category = cell.diagnosis_category
)

select * from final
