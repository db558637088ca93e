{{ config(materialized='incremental', refreshed_by='month', refreshed_on='discharge_month') }}

with

stay as (
    select
        *,
        coalesce(insutype, 'unknown') as insurance,
        case
            when insutype is not null or fund_pay_sumamt > 0 then 'insured'
            when fund_pay_sumamt = 0 then 'uninsured'
            else 'unknown'
        end as coverage,
        -- What somebody paid is known where both parts are stated; the rest of the cost is others'.
        fund_pay_sumamt is not null and psn_selfpay is not null as is_stated
    from {{ ref('fct_stay') }}
    where is_valid and {{ touched('discharge_month', by='month') }}
),

paid as (
    select
        stay.*,
        payer.name as payer,
        case payer.name
            when 'fund' then case when stay.is_stated then stay.fund_pay_sumamt end
            when 'patient' then case when stay.is_stated then stay.psn_selfpay end
            when 'other'
                then case when stay.is_stated then stay.medfee_sumamt - stay.fund_pay_sumamt - stay.psn_selfpay end
            else case when not stay.is_stated then stay.medfee_sumamt end
        end as amount
    from stay
    cross join (values ('fund'), ('patient'), ('other'), ('unknown')) as payer (name)
),

counted as (
    select
        paid.discharge_month,
        paid.hospital_id,
        paid.insurance as insutype,
        paid.coverage,
        paid.payer,
        min(paid.region) as region,
        min(paid.hosp_lv) as hosp_lv,
        min(paid.currency) as currency,
        min(paid.origin) as origin,
        count(*) as stay_count,
        cast(coalesce(sum(paid.amount), 0) as decimal(38, 2)) as amount
    from paid
    group by paid.discharge_month, paid.hospital_id, paid.insurance, paid.coverage, paid.payer
),

final as (
    select
        counted.*,
        cast(counted.amount as double) / cast(nullif(sum(counted.amount) over whole_month, 0) as double) as amount_share
    from counted
    window whole_month as (partition by counted.discharge_month, counted.hospital_id)
)

select * from final
