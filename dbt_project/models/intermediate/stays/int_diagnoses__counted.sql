with

front_page as (
    select front_page.*
    from {{ ref('stg_claims__front_page') }} as front_page
    semi join {{ ref('int_stays__touched') }} as touched
        on front_page.source_id = touched.source_id and front_page.mdtrt_id = touched.mdtrt_id
),

diagnosis as (
    select diagnosis.*
    from {{ ref('stg_claims__diagnosis') }} as diagnosis
    semi join {{ ref('int_stays__touched') }} as touched
        on diagnosis.source_id = touched.source_id and diagnosis.mdtrt_id = touched.mdtrt_id
),

named as (
    select
        front_page.stay_id,
        front_page.dscg_maindiag_code as diag_code
    from front_page
    union all
    select
        diagnosis.stay_id,
        diagnosis.diag_code
    from diagnosis
),

-- The main diagnosis stands on the front page and usually again in the list: each code counts once.
counted as (
    select
        named.stay_id,
        count(distinct named.diag_code) as diagnosis_count
    from named
    group by named.stay_id
)

select * from counted
