{#
A negative line takes back the earliest line of the same stay, item and price with the opposite quantity and amount that
is not later and not yet taken back. Within such a group, in the order of time, lines open and negative lines close; a
negative line that finds nothing open brings the running balance to a new low below zero, and is unmatched. What remains
pairs n-th with n-th.
#}
with

fee_line as (
    select * from {{ ref('int_fee_lines__grouped') }}
),

-- A second reading: a part that is read twice would be kept whole meanwhile, all lines of all months.
other_line as (
    select * from {{ ref('int_fee_lines__grouped') }}
),

-- Stays with a negative line are few, and told from three columns.
taken_back as (
    select distinct
        fee_line.source_id,
        fee_line.mdtrt_id
    from fee_line
    where fee_line.det_item_fee_sumamt < 0
),

signed as (
    select
        other_line.stay_id,
        other_line.feedetl_sn,
        other_line.fee_ocur_time,
        cast(sign(other_line.det_item_fee_sumamt) as integer) as step,
        (
            other_line.medins_list_codg,
            other_line.pric,
            sign(other_line.det_item_fee_sumamt) * other_line.cnt,
            abs(other_line.det_item_fee_sumamt)
        ) as item
    from other_line
    semi join taken_back
        on other_line.source_id = taken_back.source_id and other_line.mdtrt_id = taken_back.mdtrt_id
    where other_line.det_item_fee_sumamt <> 0
),

negative as (
    select
        signed.stay_id,
        signed.item
    from signed
    where signed.step < 0
),

line as (
    select signed.*
    from signed
    semi join negative
        on signed.stay_id = negative.stay_id and signed.item = negative.item
),

balanced as (
    select
        line.*,
        sum(line.step) over (
            partition by line.stay_id, line.item
            order by line.fee_ocur_time asc, line.step desc, line.feedetl_sn asc
            rows unbounded preceding
        ) as balance
    from line
),

judged as (
    select
        balanced.*,
        balanced.step < 0
        and balanced.balance < least(coalesce(min(balanced.balance) over earlier, 0), 0) as is_unmatched
    from balanced
    window earlier as (
        partition by balanced.stay_id, balanced.item
        order by balanced.fee_ocur_time asc, balanced.step desc, balanced.feedetl_sn asc
        rows between unbounded preceding and 1 preceding
    )
),

numbered as (
    select
        judged.*,
        row_number() over (
            partition by judged.stay_id, judged.item, judged.step, judged.is_unmatched
            order by judged.fee_ocur_time, judged.feedetl_sn
        ) as place
    from judged
),

paired as (
    select
        one.stay_id,
        one.feedetl_sn,
        case when one.is_unmatched then 'unmatched' when one.step < 0 then 'reversal' else 'reversed' end as reversal,
        other.feedetl_sn as pair_sn
    from numbered as one
    left join numbered as other
        on
            one.stay_id = other.stay_id
            and one.item = other.item
            and one.place = other.place
            and one.step = -other.step
            and not one.is_unmatched
            and not other.is_unmatched
    where one.step < 0 or other.feedetl_sn is not null
)

select * from paired
