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
        amount,
        item_count,
        case category when 'high_value_drug' then 'drug' else 'consumable' end as kind
    from {{ ref('fct_special_use') }}
    where category in ('high_value_drug', 'high_value_consumable')
),

cell as (
    select
        stay.discharge_month,
        stay.hospital_id,
        stay.diagnosis_system,
        stay.diagnosis_category,
        stay.operation_category,
        min(stay.region) as region,
        min(stay.hosp_lv) as hosp_lv,
        min(stay.currency) as currency,
        min(stay.origin) as origin,
        count(*) as cell_stay_count,
        sum(stay.fee_line_amount) as cell_amount
    from stay
    group by
        stay.discharge_month, stay.hospital_id, stay.diagnosis_system, stay.diagnosis_category, stay.operation_category
),

counted as (
    select
        stay.discharge_month,
        stay.hospital_id,
        stay.diagnosis_system,
        stay.diagnosis_category,
        stay.operation_category,
        use.kind,
        count(*) as stay_count,
        cast(sum(use.item_count) as bigint) as item_count,
        cast(sum(use.amount) as decimal(38, 2)) as amount
    from use
    inner join stay
        on use.stay_id = stay.stay_id
    group by all
),

final as (
    select
        cell.*,
        counted.kind,
        counted.stay_count,
        counted.item_count,
        counted.amount,
        counted.stay_count / cell.cell_stay_count as stay_share,
        cast(counted.amount as double) / counted.stay_count as amount_per_stay,
        cast(counted.amount as double) / cast(nullif(cell.cell_amount, 0) as double) as amount_share
    from counted
    inner join cell
        on
            counted.discharge_month = cell.discharge_month
            and counted.hospital_id = cell.hospital_id
            and counted.diagnosis_system = cell.diagnosis_system
            and counted.diagnosis_category = cell.diagnosis_category
            and counted.operation_category = cell.operation_category
)

select * from final
