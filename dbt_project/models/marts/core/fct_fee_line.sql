{{ config(materialized='incremental', refreshed_by='stay', refreshed_on='stay_id') }}
-- depends_on: {{ ref('int_stays__touched') }}

with

fee_line as (
    select * from {{ ref('int_fee_lines__grouped') }}
),

pair as (
    select * from {{ ref('int_fee_lines__paired') }}
),

final as (
    select
        fee_line.stay_id,
        fee_line.feedetl_sn,
        fee_line.source_id,
        fee_line.batch_id,
        fee_line.mdtrt_id,
        fee_line.fee_ocur_time,
        fee_line.charge_month,
        fee_line.med_list_codg,
        fee_line.medins_list_codg,
        fee_line.medins_list_name,
        fee_line.med_chrgitm_type,
        fee_line.charge_group,
        fee_line.chrgitm_lv,
        fee_line.cnt,
        fee_line.pric,
        fee_line.det_item_fee_sumamt,
        fee_line.currency,
        fee_line.selfpay_prop,
        fee_line.bilg_dept_name,
        coalesce(pair.reversal, 'none') as reversal,
        pair.pair_sn
    from fee_line
    left join pair
        on fee_line.stay_id = pair.stay_id and fee_line.feedetl_sn = pair.feedetl_sn
)

select * from final
