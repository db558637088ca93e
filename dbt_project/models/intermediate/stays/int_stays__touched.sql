{{ config(materialized='table', post_hook="{{ mark_touched() }}") }}

with

signed as (
    select * from {{ ref('int_stays__signed') }}
),

known as (
    {% if anew() %}
        select * from signed
        where false
    {% else %}
        select * from {{ built() }}
    {% endif %}
),

changed as (
    select distinct coalesce(signed.stay_id, known.stay_id) as stay_id
    from signed
    full outer join known
        on signed.stay_id = known.stay_id
    where
        known.signature is null
        or signed.signature is null
        or known.signature <> signed.signature
),

touched as (
    select
        signed.stay_id,
        substr(signed.stay_id, strpos(signed.stay_id, ':') + 1) as mdtrt_id,
        signed.discharge_month,
        signed.psn_no,
        signed.signature,
        true as is_current
    from signed
    inner join changed
        on signed.stay_id = changed.stay_id
    union all
    select
        known.stay_id,
        substr(known.stay_id, strpos(known.stay_id, ':') + 1) as mdtrt_id,
        known.discharge_month,
        known.psn_no,
        cast(null as ubigint) as signature,
        false as is_current
    from known
    inner join changed
        on known.stay_id = changed.stay_id
)

select * from touched
