{{ config(materialized='view') }}

with

price as (
    select * from {{ ref('ind_item_price') }}
    where comparable_unit = 'piece'
),

high as (
    select distinct
        kind,
        code
    from {{ ref('dim_item') }}
    where is_high_value and code is not null
),

final as (
    select
        price.discharge_month,
        price.region,
        price.currency,
        price.origin,
        price.kind,
        price.code,
        price.comparable_unit,
        min(price.national_name) as national_name,
        count(*) as hospital_count,
        cast(sum(price.quantity) as decimal(38, 4)) as quantity,
        cast(sum(price.amount) as decimal(38, 2)) as amount,
        min(price.median_price) as lowest_price,
        max(price.median_price) as highest_price,
        min(price.region_median_price) as region_median_price,
        cast(max(price.median_price) as double) / cast(nullif(min(price.median_price), 0) as double) as price_spread
    from price
    inner join high
        on price.kind = high.kind and price.code = high.code
    group by
        price.discharge_month, price.region, price.currency, price.origin, price.kind, price.code, price.comparable_unit
    having count(*) >= {{ var('fewest_hospitals') }}
)

select * from final
