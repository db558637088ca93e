{{ config(materialized='incremental', refreshed_by='person', refreshed_on='stay_id, psn_no') }}

with

stay as (
    select * from {{ ref('fct_stay') }}
    where {{ touched('stay_id, psn_no', by='person') }}
),

overlap as (
    select * from {{ ref('int_stays__overlapped') }}
),

settlement as (
    select * from {{ ref('fct_settlement') }}
),

fee_line as (
    select * from {{ ref('fct_fee_line') }}
    where reversal = 'unmatched'
),

sex_bound as (
    select * from {{ ref('sex_bound_diagnosis') }}
),

found as (
    select
        overlap.kind || case when overlap.is_across then '_across' else '_within' end as kind,
        overlap.stay_id,
        overlap.other_stay_id,
        overlap.money
    from overlap
    union all by name
    select
        case settlement.status when 'live' then 'settled_twice' else 'settlement_unmatched' end as kind,
        settlement.stay_id,
        settlement.setl_id as row_key,
        abs(settlement.medfee_sumamt) as money
    from settlement
    where settlement.status in ('live', 'unmatched')
    qualify
        settlement.status = 'unmatched'
        or row_number() over (
            partition by settlement.stay_id, settlement.status
            order by settlement.setl_time, settlement.setl_id
        ) > 1
    union all by name
    select
        'fee_line_unmatched' as kind,
        fee_line.stay_id,
        fee_line.feedetl_sn as row_key,
        abs(fee_line.det_item_fee_sumamt) as money
    from fee_line
    union all by name
    select
        'fee_sum_differs' as kind,
        stay.stay_id,
        abs(stay.fee_line_amount - stay.medfee_sumamt) as money
    from stay
    where stay.fee_line_count > 0 and stay.fee_line_amount <> stay.medfee_sumamt
    union all by name
    select
        'settlement_sum_differs' as kind,
        stay.stay_id,
        abs(stay.live_settlement_amount - stay.medfee_sumamt) as money
    from stay
    where stay.live_settlement_count > 0 and stay.live_settlement_amount <> stay.medfee_sumamt
    union all by name
    select
        'sex_contradicts_diagnosis' as kind,
        stay.stay_id,
        stay.medfee_sumamt as money
    from stay
    inner join sex_bound
        on
            stay.diagnosis_category between sex_bound.first_category and sex_bound.last_category
            and stay.diagnosis_system = 'ICD-10'
            and stay.gend <> '9'
            and stay.gend <> sex_bound.gend
),

-- Settlements and lines of stays without a front page are found too; they have a stay, but no person and no hospital.
placed as (
    select
        found.kind,
        found.stay_id,
        coalesce(found.row_key, '') as row_key,
        found.other_stay_id,
        found.money,
        split_part(found.stay_id, ':', 1) as source_id,
        person.hospital_id,
        person.psn_no,
        person.discharge_month,
        coalesce(person.currency, currency.currency) as currency
    from found
    left join {{ ref('fct_stay') }} as person on found.stay_id = person.stay_id
    left join {{ ref('int_sources__denominated') }} as currency
        on split_part(found.stay_id, ':', 1) = currency.source_id
),

final as (
    select
        placed.kind,
        placed.stay_id,
        placed.row_key,
        placed.other_stay_id,
        placed.source_id,
        placed.hospital_id,
        placed.psn_no,
        placed.discharge_month,
        placed.money,
        placed.currency
    from placed
    where {{ touched('stay_id, psn_no', by='person') }}
)

select * from final
