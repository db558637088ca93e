{{ config(materialized='incremental', refreshed_by='month', refreshed_on='discharge_month') }}

with

stay as (
    select
        *,
        cast(medfee_sumamt as decimal(19, 2)) * cast(medfee_sumamt as decimal(19, 2)) as cost_square
    from {{ ref('fct_stay') }}
    where is_valid and {{ touched('discharge_month', by='month') }}
),

-- Whoever died or was handed to another hospital cannot come back unexpectedly; nobody can be followed without a name.
final as (
    select
        stay.discharge_month,
        stay.hospital_id,
        min(stay.region) as region,
        min(stay.hosp_lv) as hosp_lv,
        min(stay.currency) as currency,
        min(stay.origin) as origin,
        count(*) as stay_count,
        count(*) filter (where stay.is_dead) as death_count,
        count(*) filter (
            where stay.psn_no is not null and coalesce(stay.dscg_way, '1') not in ('2', '5')
        ) as followed_count,
        cast(sum(stay.stay_days) as bigint) as stay_days,
        sum(stay.medfee_sumamt) as cost,
        sum(stay.cost_square) as cost_square_sum,
        coalesce(sum(stay.medfee_sumamt) filter (where stay.fund_pay_sumamt is not null), 0) as fund_stated_cost,
        coalesce(sum(stay.fund_pay_sumamt), 0) as fund_amount,
        coalesce(sum(stay.medfee_sumamt) filter (where stay.psn_selfpay is not null), 0) as selfpay_stated_cost,
        coalesce(sum(stay.psn_selfpay), 0) as selfpay_amount,
        sum(stay.fee_line_amount) as fee_line_amount,
        sum(stay.drug_amount) as drug_amount,
        sum(stay.consumable_amount) as consumable_amount
    from stay
    group by stay.discharge_month, stay.hospital_id
)

select * from final
