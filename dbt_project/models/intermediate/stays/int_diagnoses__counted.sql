with

front_page as (
    select * from {{ ref('stg_claims__front_page') }}
),

diagnosis as (
    select * from {{ ref('stg_claims__diagnosis') }}
),

touched as (
    select * from {{ ref('int_stays__touched') }}
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
    where named.stay_id in (select touched.stay_id from touched)
    group by named.stay_id
)

select * from counted
