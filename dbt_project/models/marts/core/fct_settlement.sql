{{ config(materialized='incremental', refreshed_by='stay', refreshed_on='stay_id') }}
-- depends_on: {{ ref('int_stays__touched') }}

with

settlement as (
    select * from {{ ref('int_settlements__paired') }}
),

hospital as (
    select * from {{ ref('dim_hospital') }}
),

final as (
    select
        settlement.source_id,
        settlement.setl_id,
        settlement.stay_id,
        settlement.hospital_id,
        settlement.psn_no,
        settlement.insutype,
        settlement.med_type,
        settlement.setl_time,
        cast(date_trunc('month', settlement.setl_time) as date) as settlement_month,
        settlement.medfee_sumamt,
        settlement.fund_pay_sumamt,
        settlement.psn_selfpay,
        hospital.currency,
        settlement.status,
        settlement.pair_setl_id,
        settlement.init_setl_id
    from settlement
    left join hospital
        on settlement.hospital_id = hospital.hospital_id
)

select * from final
