{#
A reversal names the settlement it takes back, is of the same stay and of the opposite amount, and is not earlier. The
first such reversal counts; a second one of the same settlement, or one whose original is not there, is unmatched.
#}
with

settlement as (
    select settlement.*
    from {{ ref('stg_claims__settlement') }} as settlement
    semi join {{ ref('int_stays__touched') }} as touched
        on settlement.source_id = touched.source_id and settlement.mdtrt_id = touched.mdtrt_id
),

own as (
    select
        settlement.*,
        coalesce(settlement.refd_setl_flag = '1', false)
        or settlement.init_setl_id is not null
        or settlement.medfee_sumamt < 0 as is_reversal
    from settlement
),

candidate as (
    select
        reversal.stay_id,
        reversal.setl_id as reversal_id,
        original.setl_id as original_id,
        row_number() over (
            partition by original.stay_id, original.setl_id
            order by reversal.setl_time, reversal.setl_id
        ) as place
    from own as reversal
    inner join own as original
        on
            reversal.stay_id = original.stay_id
            and reversal.init_setl_id = original.setl_id
            and reversal.medfee_sumamt = -original.medfee_sumamt
            and reversal.setl_time >= original.setl_time
    where reversal.is_reversal and not original.is_reversal
),

pair as (
    select
        candidate.stay_id,
        candidate.reversal_id as setl_id,
        candidate.original_id as pair_setl_id
    from candidate
    where candidate.place = 1
    union all
    select
        candidate.stay_id,
        candidate.original_id as setl_id,
        candidate.reversal_id as pair_setl_id
    from candidate
    where candidate.place = 1
),

paired as (
    select
        own.source_id,
        own.stay_id,
        own.hospital_id,
        own.setl_id,
        own.psn_no,
        own.insutype,
        own.med_type,
        own.setl_time,
        own.medfee_sumamt,
        own.fund_pay_sumamt,
        own.psn_selfpay,
        own.init_setl_id,
        pair.pair_setl_id,
        case
            when own.is_reversal and pair.pair_setl_id is null then 'unmatched'
            when own.is_reversal then 'reversal'
            when pair.pair_setl_id is null then 'live'
            else 'reversed'
        end as status
    from own
    left join pair
        on own.stay_id = pair.stay_id and own.setl_id = pair.setl_id
)

select * from paired
