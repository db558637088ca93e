with

settlement as (
    select * from {{ ref('int_settlements__paired') }}
),

settled as (
    select
        settlement.stay_id,
        count(*) filter (where settlement.status = 'live') as live_settlement_count,
        coalesce(sum(settlement.medfee_sumamt) filter (where settlement.status = 'live'), 0) as live_settlement_amount,
        coalesce(sum(settlement.fund_pay_sumamt) filter (where settlement.status = 'live'), 0) as live_fund_amount
    from settlement
    group by settlement.stay_id
)

select * from settled
