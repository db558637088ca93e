{# A table: codes and references change what was billed in no month, so prices of all months follow from it. #}
{{ config(materialized='incremental', refreshed_by='month', refreshed_on='discharge_month') }}
-- depends_on: {{ ref('int_stays__touched') }}

with

stay as (
    select * from {{ ref('fct_stay') }}
    where is_valid and {{ touched('discharge_month', by='month') }}
),

fee_line as (
    select * from {{ ref('fct_fee_line') }}
    where charge_group in ('drug', 'consumable', 'service')
),

-- Lines that took others back bear the price of those and are negative, so that every price keeps what was paid at it.
priced as (
    select
        stay.discharge_month,
        stay.hospital_id,
        stay.source_id,
        fee_line.charge_group as kind,
        fee_line.medins_list_codg,
        fee_line.medins_list_name,
        fee_line.pric,
        count(*) as line_count,
        cast(sum(fee_line.cnt) as decimal(18, 4)) as quantity,
        cast(sum(fee_line.det_item_fee_sumamt) as decimal(18, 2)) as amount
    from fee_line
    inner join stay
        on fee_line.stay_id = stay.stay_id
    group by
        stay.discharge_month,
        stay.hospital_id,
        stay.source_id,
        fee_line.charge_group,
        fee_line.medins_list_codg,
        fee_line.medins_list_name,
        fee_line.pric
)

select * from priced
