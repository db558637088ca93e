{{ config(materialized='incremental', refreshed_by='stay', refreshed_on='stay_id') }}
-- depends_on: {{ ref('int_stays__touched') }}

with

fee_line as (
    select * from {{ ref('fct_fee_line') }}
    where charge_group in ('drug', 'consumable') and {{ written() }}
),

-- Lines that took others back are negative, so that every sum is net of them.
final as (
    select
        fee_line.stay_id,
        fee_line.medins_list_codg,
        fee_line.charge_group,
        fee_line.source_id,
        fee_line.currency,
        min(fee_line.medins_list_name) as medins_list_name,
        min(fee_line.med_list_codg) as med_list_codg,
        count(*) as line_count,
        count(*) filter (where fee_line.reversal in ('reversal', 'unmatched')) as reversal_count,
        sum(fee_line.cnt) as quantity,
        sum(fee_line.det_item_fee_sumamt) as amount
    from fee_line
    group by
        fee_line.stay_id,
        fee_line.medins_list_codg,
        fee_line.charge_group,
        fee_line.source_id,
        fee_line.currency
)

select * from final
