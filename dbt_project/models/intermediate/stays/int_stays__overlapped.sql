{#
Of each person's stays in the order of admission, the earlier one that ends last tells whether a stay begins before it
was over: one pass over the stays of a person, no comparison of each with each. A stay reported again (same person, days
and cost) is a copy of the first of its kind and nothing else.
#}
with

front_page as (
    select * from {{ ref('stg_claims__front_page') }}
),

validated as (
    select * from {{ ref('int_stays__validated') }}
),

touched as (
    select * from {{ ref('int_stays__touched') }}
),

stay as (
    select
        front_page.stay_id,
        front_page.hospital_id,
        front_page.psn_no,
        front_page.begntime,
        front_page.endtime,
        front_page.medfee_sumamt
    from front_page
    inner join validated
        on front_page.stay_id = validated.stay_id
    where
        validated.is_valid
        and front_page.psn_no in (
            select touched.psn_no from touched
            where touched.psn_no is not null
        )
),

copied as (
    select
        stay.stay_id,
        stay.hospital_id,
        stay.psn_no,
        stay.begntime,
        stay.endtime,
        stay.medfee_sumamt,
        first_value(stay.stay_id) over copies as first_stay_id,
        first_value(stay.hospital_id) over copies as first_hospital_id
    from stay
    window copies as (
        partition by
            stay.psn_no, cast(stay.begntime as date), cast(stay.endtime as date), stay.medfee_sumamt
        order by stay.begntime, stay.stay_id
    )
),

followed as (
    select
        copied.*,
        max({
            'endtime': copied.endtime, 'stay_id': copied.stay_id, 'hospital_id': copied.hospital_id,
            'cost': copied.medfee_sumamt
        }) over earlier as before
    from copied
    where copied.stay_id = copied.first_stay_id
    window earlier as (
        partition by copied.psn_no
        order by copied.begntime, copied.stay_id
        rows between unbounded preceding and 1 preceding
    )
),

overlapped as (
    select
        copied.stay_id,
        copied.first_stay_id as other_stay_id,
        'copy' as kind,
        copied.hospital_id <> copied.first_hospital_id as is_across,
        copied.medfee_sumamt as money
    from copied
    where copied.stay_id <> copied.first_stay_id
    union all
    select
        followed.stay_id,
        followed.before.stay_id as other_stay_id,
        'overlap' as kind,
        followed.hospital_id <> followed.before.hospital_id as is_across,
        least(followed.medfee_sumamt, followed.before.cost) as money
    from followed
    where followed.begntime < followed.before.endtime
)

select * from overlapped
