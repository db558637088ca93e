with

front_page as (
    select * from {{ ref('stg_claims__front_page') }}
),

operation as (
    select * from {{ ref('stg_claims__operation') }}
),

touched as (
    select * from {{ ref('int_stays__touched') }}
),

named as (
    select
        front_page.stay_id,
        front_page.main_oprn_code as oprn_code
    from front_page
    union all
    select
        operation.stay_id,
        operation.oprn_oprt_code as oprn_code
    from operation
),

-- The main operation stands on the front page and usually again in the list: each code counts once.
counted as (
    select
        named.stay_id,
        count(distinct named.oprn_code) as operation_count
    from named
    where named.stay_id in (select touched.stay_id from touched)
    group by named.stay_id
)

select * from counted
